import type { Migration } from "./index.ts";

// Who takes tasks; and how long each piece of a log is, so that the oldest can go. From here on the number of a
// piece is the time when it came.
export const workersAndLogs: Migration = {
  version: 6,
  statements: [
    `CREATE TABLE workers (
      id TEXT PRIMARY KEY, name TEXT NOT NULL, machine TEXT NOT NULL, release TEXT NOT NULL, runner TEXT NOT NULL,
      slots BIGINT NOT NULL, state TEXT NOT NULL, started_micros BIGINT NOT NULL, seen_micros BIGINT NOT NULL)`,
    `ALTER TABLE log_pieces ADD COLUMN size BIGINT NOT NULL DEFAULT 0`,
    `UPDATE log_pieces SET size = LENGTH(bytes)`,
    `CREATE INDEX log_pieces_by_age ON log_pieces (number, size)`,
  ],
};
