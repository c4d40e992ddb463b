import { firstSchema } from "./001-first-schema.ts";
import { putBlocks } from "./004-put-blocks.ts";
import { journal } from "./003-journal.ts";
import { jobVerbs } from "./005-job-verbs.ts";
import { runs } from "./009-runs.ts";
import { sessionsAndGarbage } from "./002-sessions-and-garbage.ts";
import { stages } from "./008-stages.ts";
import { uploads } from "./010-uploads.ts";
import { workersAndLogs } from "./006-workers-and-logs.ts";
import { reuse } from "./007-reuse.ts";

/** One step of the schema. Never changed once released; the next step is a new file. */
export interface Migration {
  readonly version: number;
  /** Statements in the portable part of SQL (BLOB, TEXT, BIGINT), run in one transaction. */
  readonly statements: readonly string[];
}

/** All steps, in order; the last one's version is the schema's. */
export const migrations: readonly Migration[] = [
  firstSchema,
  sessionsAndGarbage,
  journal,
  putBlocks,
  jobVerbs,
  workersAndLogs,
  reuse,
  stages,
  runs,
  uploads,
];
