export { advanceRuns } from "./advance-runs.ts";
export type { ClassicDeps } from "./classic-deps.ts";
export { findOutput } from "./find-output.ts";
export { findRun, listRuns, readRunLogs } from "./find-runs.ts";
export { descriptorBytesMax, descriptorPath, putJob } from "./job-files.ts";
export type { BranchRunInfo } from "./branch-run-info.ts";
export { startRun } from "./start-run.ts";
