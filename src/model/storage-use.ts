import type { CommitInfo } from "./commit.ts";

/** What a commit takes, beside the others of its repo. */
export interface CommitUse extends Omit<StorageUse, "storedBytes"> {
  readonly commit: CommitInfo;
}

/** What the content of a repo or a commit takes, in bytes; the trees that say which files there are come on top. */
export interface StorageUse {
  /** Of a repo what its commits have put, of a commit what it shows: equal content counts each time. */
  readonly logicalBytes: number;
  /** Chunks that nothing else refers to, each once: what goes when this alone is deleted. */
  readonly uniqueBytes: number;
  /** Chunks that something else refers to as well, each once. */
  readonly sharedBytes: number;
  /** What both take in the object store, compressed. */
  readonly storedBytes: number;
  /** What of that the unique ones take. */
  readonly uniqueStoredBytes: number;
}
