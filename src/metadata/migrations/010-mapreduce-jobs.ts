import type { Migration } from "./index.ts";

// Documents of MapReduceJob by name, as they were given. One that could not be run has an error and no job.
export const mapReduceJobs: Migration = {
  version: 10,
  statements: [
    `CREATE TABLE mapreduce_jobs (
      name TEXT PRIMARY KEY, number BIGINT NOT NULL, uid TEXT NOT NULL, document TEXT NOT NULL,
      job_id TEXT NOT NULL, error TEXT NOT NULL, created_micros BIGINT NOT NULL)`,
  ],
};
