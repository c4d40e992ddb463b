export type { InputOf, MetadataStore, OutputOf, ProcedureName } from "./metadata-store.ts";
export type { CommitDetail } from "./procedures/commits.ts";
export type { JobDetail, JobPlan } from "./procedures/jobs.ts";
export type { CommitSelector, ListCommitsInput } from "./procedures/list-commits.ts";
export type { OutboxEvent } from "./procedures/outbox.ts";
export type { FoundChunks, InlineBatch } from "./procedures/packs.ts";
export type { PipelineDetail } from "./procedures/pipelines.ts";
export type { NewRun, StagedRun } from "./procedures/staging.ts";
export type { LogPiece } from "./procedures/task-logs.ts";
export type { TaskClaim } from "./procedures/tasks.ts";
export {
  areConsistent,
  type NewJob,
  type SourcedCommit,
  type TriggerCommit,
} from "./procedures/trigger.ts";
export { openInlineSqliteMetadata } from "./sqlite/open-inline.ts";
export { openSqliteMetadata } from "./sqlite/open-sqlite.ts";
export type { SqliteMetadata } from "./sqlite/queued-store.ts";
export type { ChunkRow, InlineChunk, PackClass, PackRecord, Sealed } from "./sealed.ts";
