export { openInlineCompute, type Compute } from "./compute.ts";
export { openPoolCompute } from "./compute-pool.ts";
export type { Ingest } from "./ingest.ts";
export { openStorage, type Storage, type StorageDeps } from "./open-storage.ts";
export type { PieceRange } from "./pack-reader.ts";
