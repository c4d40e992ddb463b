import type { Migration } from "./index.ts";

// What the journal in the object store does not say yet. All that is there already is to be written first.
export const journal: Migration = {
  version: 3,
  statements: [
    `CREATE TABLE journal_dirty (
      kind TEXT NOT NULL, subject TEXT NOT NULL, number BIGINT NOT NULL, created_micros BIGINT NOT NULL,
      PRIMARY KEY (kind, subject))`,
    `CREATE INDEX journal_dirty_by_number ON journal_dirty (number)`,
    `INSERT INTO journal_dirty (kind, subject, number, created_micros)
      SELECT 'repo', name, 0, created_micros FROM repos`,
    `INSERT INTO journal_dirty (kind, subject, number, created_micros)
      SELECT 'pipeline', name, 0, created_micros FROM pipelines`,
    `INSERT INTO journal_dirty (kind, subject, number, created_micros)
      SELECT 'commit', uid, finish_number, finished_micros FROM commits WHERE finish_number IS NOT NULL`,
    `INSERT INTO counters (name, value) SELECT 'journal', COALESCE(MAX(finish_number), 0) FROM commits`,
  ],
};
