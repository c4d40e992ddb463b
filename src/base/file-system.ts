import type * as nodeFs from "node:fs/promises";

/** The part of the file system that adapters on disk use; injected so that faults can be. */
export type FileSystem = Pick<
  typeof nodeFs,
  | "open"
  | "rename"
  | "mkdir"
  | "readdir"
  | "unlink"
  | "stat"
  | "rm"
  | "readFile"
  | "writeFile"
  | "access"
>;
