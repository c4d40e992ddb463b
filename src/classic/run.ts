import type { OutputOf } from "../metadata/index.ts";

/** The jobs of a branch, run at one commit, as they are recorded. */
export type Run = OutputOf<"findRun">;

/** One of them. */
export type RunJob = Run["jobs"][number];
