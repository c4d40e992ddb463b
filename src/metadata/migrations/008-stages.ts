import type { Migration } from "./index.ts";

// Jobs in stages: what each stage's tasks read, and what they have counted. Repos `of_jobs` are written by jobs of no
// pipeline, each by request.
export const stages: Migration = {
  version: 8,
  statements: [
    `ALTER TABLE jobs ADD COLUMN stages TEXT NOT NULL DEFAULT ''`,
    `CREATE TABLE job_splits (job_id TEXT NOT NULL, task BIGINT NOT NULL, split TEXT NOT NULL, PRIMARY KEY (job_id, task))`,
    `ALTER TABLE repos ADD COLUMN of_jobs BIGINT NOT NULL DEFAULT 0`,
    `ALTER TABLE attempts ADD COLUMN facts TEXT NOT NULL DEFAULT ''`,
  ],
};
