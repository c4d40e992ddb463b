import type { Migration } from "./index.ts";

// Runs of the classic API: the jobs of a branch at a commit. A job of a run that cannot be made has an error instead.
export const runs: Migration = {
  version: 9,
  statements: [
    `CREATE TABLE runs (
      id TEXT PRIMARY KEY, number BIGINT NOT NULL, repo TEXT NOT NULL, branch TEXT NOT NULL,
      commit_uid TEXT NOT NULL, commit_id TEXT NOT NULL, fresh BIGINT NOT NULL,
      started_micros BIGINT NOT NULL, finished_micros BIGINT)`,
    `CREATE INDEX runs_by_commit ON runs (commit_uid, number)`,
    `CREATE INDEX runs_by_repo ON runs (repo, number)`,
    `CREATE INDEX runs_by_end ON runs (finished_micros, number)`,
    `CREATE TABLE run_jobs (
      run_id TEXT NOT NULL, position BIGINT NOT NULL, number BIGINT NOT NULL, name TEXT NOT NULL,
      descriptor TEXT NOT NULL, output_repo TEXT NOT NULL, job_id TEXT, error TEXT NOT NULL,
      PRIMARY KEY (run_id, position))`,
    `CREATE INDEX run_jobs_by_output ON run_jobs (output_repo, number)`,
  ],
};
