import type { Migration } from "./index.ts";

// Blocks that clients of the 1.2 series put by themselves, by their SHA-512. Blocks of files have no rows.
export const putBlocks: Migration = {
  version: 4,
  statements: [
    `CREATE TABLE put_blocks (
      id TEXT PRIMARY KEY, bytes BIGINT NOT NULL, created_micros BIGINT NOT NULL, entries BLOB NOT NULL)`,
  ],
};
