import type { Migration } from "./index.ts";

// What jobs made by hand, limits, progress and tasks by the entry need.
export const jobVerbs: Migration = {
  version: 5,
  statements: [
    `ALTER TABLE jobs ADD COLUMN limits TEXT NOT NULL DEFAULT '{}'`,
    `ALTER TABLE jobs ADD COLUMN cause TEXT NOT NULL DEFAULT ''`,
    `ALTER TABLE jobs ADD COLUMN tasks_total BIGINT NOT NULL DEFAULT 0`,
    `ALTER TABLE jobs ADD COLUMN tasks_micros BIGINT`,
    `ALTER TABLE jobs ADD COLUMN output_bytes BIGINT NOT NULL DEFAULT 0`,
    `UPDATE jobs SET tasks_total = (SELECT COUNT(*) FROM tasks t WHERE t.job_id = jobs.id)`,
    `ALTER TABLE job_inputs ADD COLUMN each_entry BIGINT NOT NULL DEFAULT 0`,
    `CREATE TABLE job_entries (
      job_id TEXT NOT NULL, position BIGINT NOT NULL, page BIGINT NOT NULL, names TEXT NOT NULL,
      PRIMARY KEY (job_id, position, page))`,
    `ALTER TABLE pipelines ADD COLUMN line_version BIGINT NOT NULL DEFAULT 0`,
    `ALTER TABLE tasks ADD COLUMN span BIGINT NOT NULL DEFAULT 1`,
    `ALTER TABLE attempts ADD COLUMN bytes BIGINT NOT NULL DEFAULT 0`,
  ],
};
