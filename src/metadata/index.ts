export type { InputOf, MetadataStore, OutputOf, ProcedureName } from "./metadata-store.ts";
export type { CommitDetail } from "./procedures/commits.ts";
export type { PackState, RefsPage, RefsTable } from "./procedures/garbage.ts";
export type { JobDetail } from "./procedures/jobs.ts";
export type { JobPlan } from "./procedures/job-rows.ts";
export type { EntrySpan, JobEntries, KeptEntries } from "./procedures/job-entries.ts";
export type { ReuseBase, ReusedTasks, TaskDelta, TaskRange } from "./procedures/reuse.ts";
export { rangesBetween } from "./procedures/reuse.ts";
export type { JobParts } from "./procedures/create-job.ts";
export type { CommitSelector, ListCommitsInput } from "./procedures/list-commits.ts";
export type { OutboxEvent } from "./procedures/outbox.ts";
export type { FoundChunks, InlineBatch } from "./procedures/packs.ts";
export type { PipelineDetail } from "./procedures/pipelines.ts";
export type { NewBlock } from "./procedures/put-blocks.ts";
export type { NewRun, StagedRun } from "./procedures/staging.ts";
export type { CommitToVerify, IndexCheck, StagedToVerify } from "./procedures/verify.ts";
export type { UploadDetail, UploadPart } from "./procedures/uploads.ts";
export type { LogPiece } from "./procedures/task-logs.ts";
export type { TaskClaim } from "./procedures/tasks.ts";
export type { JournalRecord } from "./journal-record.ts";
export type { Recovered } from "./procedures/recovery.ts";
export type { StoreOwner } from "./procedures/store-owner.ts";
export { areConsistent, type SourcedCommit } from "./procedures/sourced-commits.ts";
export type { NewJob, TriggerCommit } from "./procedures/trigger.ts";
export { openSharedMetadata } from "./open-postgres.ts";
export { openInlineSqliteMetadata } from "./sqlite/open-inline.ts";
export { openSqliteMetadata } from "./sqlite/open-sqlite.ts";
export type { SqliteMetadata } from "./sqlite/queued-store.ts";
export {
  nothingSealed,
  type ChunkRow,
  type InlineChunk,
  type PackClass,
  type PackRecord,
  type Sealed,
} from "./sealed.ts";
