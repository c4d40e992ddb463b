import type { CommitName } from "./commit.ts";

/** One side of a difference. */
export interface FileVersion {
  readonly sizeBytes: number;
  /** Hex digest of the content. */
  readonly digest: string;
}

/** A file that is not the same in two commits: without `before` it was added, without `after` deleted. */
export interface FileDifference {
  /** Without a leading slash. */
  readonly path: string;
  readonly before?: FileVersion;
  readonly after?: FileVersion;
}

export type FileType = "file" | "dir";

/** A file or directory at a commit. Times are microseconds since 1970. */
export interface FileInfo {
  /** Without a leading slash; empty for the root. */
  readonly path: string;
  readonly type: FileType;
  /** Of a directory: the sum of everything below it. */
  readonly sizeBytes: number;
  readonly modifiedMicros: number;
  /** The last commit that touched it, or something below it. */
  readonly commitModified: CommitName;
  /** Names of the direct children, sorted; only where the call says so. */
  readonly children?: readonly string[];
  /**
   * Hex digest of the content: equal digests, equal bytes written in equal pieces. Of a directory, where the call
   * says so, of all below it; empty otherwise.
   */
  readonly digest: string;
}
