import type { Migration } from "./index.ts";

// What tasks need to take the output of earlier ones. Of `jobs`, `reuse` is 0 (never), 1 (takes and gives) or 2
// (gives), `disjoint` says that no file of the output is of two tasks. A run that is `standing` says what is, and
// of nothing that it goes. Entries of a job may be those of another, which then owns their names.
export const reuse: Migration = {
  version: 7,
  statements: [
    `ALTER TABLE pipelines ADD COLUMN reprocess_version BIGINT NOT NULL DEFAULT 0`,
    `ALTER TABLE jobs ADD COLUMN reuse BIGINT NOT NULL DEFAULT 0`,
    `ALTER TABLE jobs ADD COLUMN reuse_key TEXT NOT NULL DEFAULT ''`,
    `ALTER TABLE jobs ADD COLUMN image_digest TEXT NOT NULL DEFAULT ''`,
    `ALTER TABLE jobs ADD COLUMN disjoint BIGINT NOT NULL DEFAULT 0`,
    `ALTER TABLE jobs ADD COLUMN tasks_skipped BIGINT NOT NULL DEFAULT 0`,
    `ALTER TABLE jobs ADD COLUMN tasks_failed BIGINT NOT NULL DEFAULT 0`,
    `CREATE INDEX jobs_by_reuse ON jobs (pipeline, reuse_key, state, number)`,
    `CREATE TABLE reused_tasks (
      job_id TEXT NOT NULL, task BIGINT NOT NULL, span BIGINT NOT NULL, from_job TEXT NOT NULL, from_task BIGINT NOT NULL,
      PRIMARY KEY (job_id, task))`,
    `CREATE INDEX reused_tasks_by_origin ON reused_tasks (from_job)`,
    `CREATE TABLE entry_spans (
      job_id TEXT NOT NULL, position BIGINT NOT NULL, first BIGINT NOT NULL, span BIGINT NOT NULL,
      owner TEXT NOT NULL, owner_first BIGINT NOT NULL, PRIMARY KEY (job_id, position, first))`,
    `CREATE INDEX entry_spans_by_owner ON entry_spans (owner, job_id)`,
    `CREATE TABLE task_keys (
      key TEXT NOT NULL, job_id TEXT NOT NULL, task BIGINT NOT NULL, PRIMARY KEY (key, job_id, task))`,
    `CREATE INDEX task_keys_by_job ON task_keys (job_id)`,
    `ALTER TABLE staged_runs ADD COLUMN standing BIGINT NOT NULL DEFAULT 0`,
  ],
};
