/** Something that a program did to a disk. Paths are absolute; a sync is of a file or a folder. */
export type DiskChange =
  | {
      readonly kind: "write";
      readonly path: string;
      readonly offset: number;
      readonly bytes: Buffer;
    }
  | { readonly kind: "truncate"; readonly path: string; readonly length: number }
  | { readonly kind: "create" | "mkdir" | "unlink" | "sync"; readonly path: string }
  | { readonly kind: "rename"; readonly path: string; readonly to: string };

/** A change with the moments it began and ended at: others may have happened in between. */
export interface DiskEvent {
  readonly change: DiskChange;
  readonly start: number;
  readonly end: number;
}

/** What was done to a disk, in the order in which it ended, and when answers left. */
export interface DiskLog {
  readonly events: readonly DiskEvent[];
  readonly answers: readonly number[];
}
