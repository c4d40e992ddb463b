import type { Migration } from "./index.ts";

// Times are microseconds since 1970, flags 0 or 1, ids ASCII, paths and hashes bytes.
export const firstSchema: Migration = {
  version: 1,
  statements: [
    `CREATE TABLE counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL)`,
    `CREATE TABLE leases (name TEXT PRIMARY KEY, owner TEXT NOT NULL, until_micros BIGINT NOT NULL)`,
    `CREATE TABLE requests (key TEXT PRIMARY KEY, answer TEXT NOT NULL, created_micros BIGINT NOT NULL)`,
    `CREATE INDEX requests_by_age ON requests (created_micros)`,
    `CREATE TABLE outbox (
      id TEXT PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, created_micros BIGINT NOT NULL,
      due_micros BIGINT NOT NULL, tries BIGINT NOT NULL, owner TEXT NOT NULL)`,
    `CREATE INDEX outbox_by_due ON outbox (due_micros)`,

    `CREATE TABLE packs (
      number BIGINT PRIMARY KEY, id TEXT NOT NULL UNIQUE, class TEXT NOT NULL, session TEXT NOT NULL,
      bytes BIGINT NOT NULL, chunks BIGINT NOT NULL, state TEXT NOT NULL, indexed BIGINT NOT NULL,
      created_micros BIGINT NOT NULL)`,
    `CREATE INDEX packs_by_indexed ON packs (indexed, number)`,
    `CREATE TABLE chunk_locations (
      hash BLOB PRIMARY KEY, pack_number BIGINT NOT NULL, frame_offset BIGINT NOT NULL,
      frame_bytes BIGINT NOT NULL, chunk_offset BIGINT NOT NULL, bytes BIGINT NOT NULL) WITHOUT ROWID`,
    `CREATE TABLE inline_chunks (
      hash BLOB PRIMARY KEY, class TEXT NOT NULL, bytes BIGINT NOT NULL, codec BIGINT NOT NULL,
      data BLOB NOT NULL, stored_bytes BIGINT NOT NULL, created_micros BIGINT NOT NULL)`,
    `CREATE INDEX inline_chunks_by_age ON inline_chunks (created_micros, stored_bytes)`,
    `CREATE TABLE block_ids (key BLOB PRIMARY KEY, id TEXT NOT NULL)`,

    `CREATE TABLE repos (
      name TEXT PRIMARY KEY, created_micros BIGINT NOT NULL, size_bytes BIGINT NOT NULL)`,
    `CREATE TABLE repo_upstreams (repo TEXT NOT NULL, upstream TEXT NOT NULL, PRIMARY KEY (repo, upstream))`,
    `CREATE INDEX repo_upstreams_by_upstream ON repo_upstreams (upstream)`,
    `CREATE TABLE commits (
      uid TEXT PRIMARY KEY, repo TEXT NOT NULL, branch TEXT NOT NULL, number BIGINT NOT NULL,
      parent_uid TEXT, state TEXT NOT NULL, archived BIGINT NOT NULL,
      started_micros BIGINT NOT NULL, finished_micros BIGINT, finish_number BIGINT,
      size_bytes BIGINT NOT NULL, next_seq BIGINT NOT NULL, delta BLOB, root BLOB,
      whole BIGINT NOT NULL, job_id TEXT, token TEXT NOT NULL, lease_micros BIGINT NOT NULL)`,
    `CREATE UNIQUE INDEX commits_by_id ON commits (repo, branch, number)`,
    `CREATE INDEX commits_by_parent ON commits (parent_uid, state)`,
    `CREATE INDEX commits_by_finish ON commits (repo, finish_number)`,
    `CREATE INDEX commits_by_state ON commits (state, lease_micros)`,
    `CREATE TABLE commit_upstreams (
      uid TEXT NOT NULL, position BIGINT NOT NULL, upstream_uid TEXT NOT NULL,
      repo TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (uid, position))`,
    `CREATE INDEX commit_upstreams_by_upstream ON commit_upstreams (upstream_uid)`,
    `CREATE TABLE staged_runs (
      uid TEXT NOT NULL, seq BIGINT NOT NULL, entries BLOB, root BLOB, bytes BIGINT NOT NULL,
      PRIMARY KEY (uid, seq))`,

    `CREATE TABLE pipelines (
      name TEXT PRIMARY KEY, version BIGINT NOT NULL, spec TEXT NOT NULL, created_micros BIGINT NOT NULL,
      state TEXT NOT NULL, recent_error TEXT NOT NULL, cursor_number BIGINT NOT NULL)`,
    `CREATE TABLE pipeline_inputs (pipeline TEXT NOT NULL, repo TEXT NOT NULL, PRIMARY KEY (pipeline, repo))`,
    `CREATE INDEX pipeline_inputs_by_repo ON pipeline_inputs (repo)`,
    `CREATE TABLE jobs (
      id TEXT PRIMARY KEY, number BIGINT NOT NULL, pipeline TEXT NOT NULL, pipeline_version BIGINT NOT NULL,
      transform TEXT NOT NULL, parallelism TEXT NOT NULL, parent_id TEXT, output_repo TEXT NOT NULL,
      output_uid TEXT, state TEXT NOT NULL, error TEXT NOT NULL, started_micros BIGINT NOT NULL,
      finished_micros BIGINT, tasks_left BIGINT NOT NULL, plan TEXT NOT NULL, token TEXT NOT NULL, lease_micros BIGINT NOT NULL)`,
    `CREATE INDEX jobs_by_pipeline ON jobs (pipeline, number)`,
    `CREATE INDEX jobs_by_state ON jobs (state, number)`,
    `CREATE INDEX jobs_by_parent ON jobs (parent_id)`,
    `CREATE TABLE job_inputs (
      job_id TEXT NOT NULL, position BIGINT NOT NULL, repo TEXT NOT NULL, commit_uid TEXT NOT NULL,
      commit_id TEXT NOT NULL, method TEXT NOT NULL, run_empty BIGINT NOT NULL, PRIMARY KEY (job_id, position))`,
    `CREATE INDEX job_inputs_by_commit ON job_inputs (commit_uid)`,
    `CREATE TABLE tasks (
      job_id TEXT NOT NULL, task BIGINT NOT NULL, state TEXT NOT NULL, due_micros BIGINT NOT NULL,
      attempts BIGINT NOT NULL, failures BIGINT NOT NULL, token TEXT NOT NULL, PRIMARY KEY (job_id, task))`,
    `CREATE INDEX tasks_by_due ON tasks (state, due_micros, job_id, task)`,
    `CREATE TABLE attempts (
      job_id TEXT NOT NULL, task BIGINT NOT NULL, attempt BIGINT NOT NULL, worker TEXT NOT NULL,
      token TEXT NOT NULL, state TEXT NOT NULL, error TEXT NOT NULL, started_micros BIGINT NOT NULL,
      finished_micros BIGINT, entries BLOB, root BLOB, log_bytes BIGINT NOT NULL,
      PRIMARY KEY (job_id, task, attempt))`,
    `CREATE TABLE log_pieces (
      job_id TEXT NOT NULL, number BIGINT NOT NULL, task BIGINT NOT NULL, attempt BIGINT NOT NULL,
      bytes BLOB NOT NULL, PRIMARY KEY (job_id, number))`,
    `CREATE INDEX log_pieces_by_attempt ON log_pieces (job_id, task, attempt, number)`,
  ],
};
