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
  /** Repos, pipelines and commits that changed and that a recovery from the objects alone would not find yet. */
  readonly unjournaled: number;
  /** Age of the oldest of them. */
  readonly journalLagMs: number;
  readonly findings: number;
  readonly repaired: number;
}

/** One line of fsck's answer: findings, then the summary, or what ended it early. */
export type FsckLine =
  | { readonly finding: Finding }
  | { readonly summary: FsckSummary }
  | { readonly error: { readonly code: string; readonly message: string } };
