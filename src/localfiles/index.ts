export type { LocalFiles, SmallFiles } from "./local-files.ts";
export { openLocalFiles } from "./open-local-files.ts";
