export { runEventLoop } from "./event-loop.ts";
export { appendTaskLog, readLogs } from "./logs.ts";
export {
  createPipeline,
  deleteAllPipelines,
  deletePipeline,
  inspectJob,
  inspectPipeline,
  listJobs,
  listPipelines,
} from "./pipelines.ts";
export type { PpsDeps } from "./pps-deps.ts";
export {
  claimTasks,
  releaseTask,
  renewTask,
  reportTask,
  storeTaskOutput,
  taskLeaseMs,
  type Assignment,
} from "./tasks.ts";
export { watchJob, watchJobs } from "./watch-jobs.ts";
