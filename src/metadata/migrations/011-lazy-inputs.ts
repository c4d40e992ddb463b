import type { Migration } from "./index.ts";

// Inputs that are shown through a mount.
export const lazyInputs: Migration = {
  version: 11,
  statements: [`ALTER TABLE job_inputs ADD COLUMN lazy BIGINT NOT NULL DEFAULT 0`],
};
