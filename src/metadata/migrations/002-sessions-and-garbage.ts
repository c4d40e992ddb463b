import type { Migration } from "./index.ts";

// What garbage collection needs: who is writing since when, which packs it gave up when, and what
// deleted repos referred to.
export const sessionsAndGarbage: Migration = {
  version: 2,
  statements: [
    `CREATE TABLE sessions (
      id TEXT PRIMARY KEY, address TEXT NOT NULL, release TEXT NOT NULL, started_micros BIGINT NOT NULL,
      until_micros BIGINT NOT NULL, epoch BIGINT NOT NULL, ended BIGINT NOT NULL)`,
    `CREATE INDEX sessions_by_end ON sessions (ended, until_micros)`,
    `ALTER TABLE packs ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0`,
    `CREATE INDEX packs_by_state ON packs (state, number)`,
    `CREATE TABLE trash (id TEXT PRIMARY KEY, repo TEXT NOT NULL, delta BLOB, root BLOB, entries BLOB)`,
  ],
};
