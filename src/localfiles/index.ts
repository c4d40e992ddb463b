export type { LocalFiles, SmallFiles } from "./local-files.ts";
export { openLocalFiles } from "./open-local-files.ts";
export { scanFolder, type ScannedFile } from "./scan-folder.ts";
