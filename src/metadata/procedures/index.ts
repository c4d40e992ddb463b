import {
  ancestry,
  commitByUid,
  commitNames,
  findCommit,
  listBranches,
  parentOfNext,
  startCommit,
} from "./commits.ts";
import {
  abandonFinish,
  beginFinish,
  cancelCommit,
  discardCommit,
  listExpiredClosing,
  publishCommit,
  renewFinish,
} from "./finishing.ts";
import { flushState } from "./flush.ts";
import {
  childJobs,
  failJob,
  inspectJob,
  jobDetail,
  listJobs,
  noteJobError,
  startJob,
  isJobGoing,
} from "./jobs.ts";
import {
  beginGarbageRun,
  condemnPacks,
  countChunks,
  deletePacks,
  deleteUnknown,
  dropLocations,
  emptyTrash,
  endGarbageRun,
  forgetDeleted,
  garbageDue,
  listLocations,
  listPacks,
  listRefs,
  moveChunks,
  pardonPacks,
  raiseEpoch,
  trashIds,
  unknownPacks,
} from "./garbage.ts";
import { listCommits } from "./list-commits.ts";
import { claimEvents, finishEvent, postponeEvent, renewEvent } from "./outbox.ts";
import { endSession, renewSession, sessionsBefore } from "./sessions.ts";
import { endLeases } from "./sole-owner.ts";
import {
  findBlockIds,
  findChunks,
  finishDrain,
  indexPackSlice,
  keepBlockIds,
  listUnindexedPacks,
  markPackLost,
  takeInlineBatch,
} from "./packs.ts";
import {
  createPipeline,
  deletePipeline,
  inspectPipeline,
  listPipelines,
  pipelineDetail,
  pipelinesOfRepo,
} from "./pipelines.ts";
import { createRepo, deleteRepo, inspectRepo, listRepos } from "./repos.ts";
import { findRequest, forgetRequests } from "./requests.ts";
import { listRuns, stagedBytes, stageRun, startClosing } from "./staging.ts";
import { appendLog, followLog, readLog } from "./task-logs.ts";
import {
  claimTasks,
  releaseTask,
  renewTask,
  reportTask,
  storeOutput,
  taskOutputs,
} from "./tasks.ts";
import { createJobs, nextTriggers } from "./trigger.ts";

import {
  adoptPack,
  listCommitsToVerify,
  reindexPack,
  repairRepoSize,
  wrongRepoSizes,
} from "./verify.ts";

/** Every named transaction there is: the whole contract between the product and its metadata. */
export const procedures = {
  adoptPack,
  listCommitsToVerify,
  reindexPack,
  repairRepoSize,
  wrongRepoSizes,
  beginGarbageRun,
  condemnPacks,
  countChunks,
  deletePacks,
  deleteUnknown,
  dropLocations,
  emptyTrash,
  endGarbageRun,
  forgetDeleted,
  garbageDue,
  listLocations,
  listPacks,
  listRefs,
  moveChunks,
  pardonPacks,
  raiseEpoch,
  trashIds,
  unknownPacks,
  abandonFinish,
  ancestry,
  appendLog,
  beginFinish,
  cancelCommit,
  childJobs,
  claimEvents,
  claimTasks,
  commitByUid,
  commitNames,
  createJobs,
  createPipeline,
  createRepo,
  deletePipeline,
  deleteRepo,
  discardCommit,
  endLeases,
  endSession,
  failJob,
  findBlockIds,
  findChunks,
  findCommit,
  findRequest,
  finishDrain,
  finishEvent,
  flushState,
  forgetRequests,
  indexPackSlice,
  inspectJob,
  inspectPipeline,
  inspectRepo,
  jobDetail,
  keepBlockIds,
  listBranches,
  listCommits,
  listExpiredClosing,
  listJobs,
  listPipelines,
  listRepos,
  listRuns,
  listUnindexedPacks,
  markPackLost,
  nextTriggers,
  parentOfNext,
  noteJobError,
  pipelineDetail,
  pipelinesOfRepo,
  postponeEvent,
  publishCommit,
  readLog,
  followLog,
  isJobGoing,
  stagedBytes,
  releaseTask,
  renewEvent,
  renewFinish,
  renewSession,
  renewTask,
  reportTask,
  sessionsBefore,
  stageRun,
  startClosing,
  startCommit,
  startJob,
  storeOutput,
  takeInlineBatch,
  taskOutputs,
};

export type Procedures = typeof procedures;

/**
 * Transactions that may be answered before they are on the disk: leases, hints of progress and what
 * can be derived again. After a loss of power they may not have happened, as if nobody had asked; but
 * no later transaction outlives the loss without them.
 */
export const relaxed: readonly (keyof Procedures)[] = [
  "abandonFinish",
  "beginFinish",
  "claimEvents",
  "claimTasks",
  "finishEvent",
  "forgetRequests",
  "indexPackSlice",
  "keepBlockIds",
  "postponeEvent",
  "renewEvent",
  "renewFinish",
  "renewTask",
  "takeInlineBatch",
];
