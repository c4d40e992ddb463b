import type { Migration } from "./index.ts";

// Bytes and files that have arrived and belong to no commit yet.
export const uploads: Migration = {
  version: 10,
  statements: [
    `CREATE TABLE uploads (
      id TEXT PRIMARY KEY, kind TEXT NOT NULL, format TEXT NOT NULL, bytes BIGINT NOT NULL, files BIGINT NOT NULL,
      complete BIGINT NOT NULL, cut_point TEXT NOT NULL, next_seq BIGINT NOT NULL,
      created_micros BIGINT NOT NULL, expires_micros BIGINT NOT NULL)`,
    `CREATE INDEX uploads_by_expiry ON uploads (expires_micros)`,
    `CREATE TABLE upload_parts (
      upload_id TEXT NOT NULL, seq BIGINT NOT NULL, entries BLOB, root BLOB, PRIMARY KEY (upload_id, seq))`,
  ],
};
