/** Something that fsck found wrong. */
export interface Finding {
  readonly repo?: string;
  /** `branch/N`; absent for what belongs to no commit. */
  readonly commit?: string;
  /** Without a leading slash; absent when it is not about one file. */
  readonly path?: string;
  /** What is wrong, in a sentence without its subject. */
  readonly problem: string;
  /** It has been put right. */
  readonly isRepaired: boolean;
}

/** What fsck looked at. */
export interface FsckSummary {
  readonly commits: number;
  /** Tree and list nodes read. */
  readonly nodes: number;
  readonly packs: number;
  readonly packBytes: number;
  /** Objects that nobody recorded: of uploads under way, or garbage. */
  readonly orphans: number;
  readonly orphanBytes: number;
  readonly findings: number;
  readonly repaired: number;
  /** Commits that a recovery from the object store alone would not find yet, and the age of the oldest. */
  readonly unjournaled: number;
  readonly journalLagMs: number;
}
