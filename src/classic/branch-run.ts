import type { OutputOf } from "../metadata/index.ts";

/** The jobs of a branch, run at one commit, as they are recorded. */
export type BranchRun = OutputOf<"findRun">;

/** One of them. */
export type RunJob = BranchRun["jobs"][number];
