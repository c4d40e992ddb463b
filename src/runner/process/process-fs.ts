import type * as nodeFs from "node:fs/promises";

/** The part of the file system that the process runner uses. */
export type ProcessFs = Pick<
  typeof nodeFs,
  | "access"
  | "chmod"
  | "lstat"
  | "mkdir"
  | "open"
  | "readFile"
  | "readdir"
  | "readlink"
  | "realpath"
  | "rename"
  | "rm"
  | "rmdir"
  | "stat"
  | "symlink"
  | "unlink"
  | "utimes"
  | "writeFile"
>;
