export { createJob } from "./create-job.ts";
export { createServerJob, type NewServerJob } from "./create-server-job.ts";
export { deleteJob, restartJob, stopJob } from "./job-verbs.ts";
export {
  createMapReduceJob,
  deleteMapReduceJob,
  findResults,
  inspectMapReduceJob,
  listMapReduceJobs,
} from "./map-reduce-jobs.ts";
export { startPipeline, stopPipeline, updatePipeline } from "./pipeline-verbs.ts";
export { runEventLoop } from "./event-loop.ts";
export { listObjects } from "./list-objects.ts";
export { readLogRecords, readLogs, type LogQuery } from "./logs.ts";
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
export { inspectRun, listRuns } from "./runs.ts";
export type { NewStage, StagePlanner, StageTask } from "./stages.ts";
export { TaskHost, type ClaimRequest } from "./task-host.ts";
export { claimedMax } from "./tasks.ts";
export { listWorkers } from "./workers.ts";
export { watchJob, watchJobs } from "./watch-jobs.ts";
