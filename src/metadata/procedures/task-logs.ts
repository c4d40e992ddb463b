import type { Procedure } from "../metadata-store.ts";
import { requireHeld, type TaskClaim } from "./tasks.ts";

/** Adds to the log of an attempt. Pieces are numbered per job, in the order they come. */
export const appendLog: Procedure<TaskClaim & { bytes: Buffer }, void> = async (tx, input) => {
  await requireHeld(tx, input);
  const row = await tx.get<{ number: number | null }>(
    `SELECT MAX(number) AS number FROM log_pieces WHERE job_id = ?`,
    input.jobId,
  );
  await tx.run(
    `INSERT INTO log_pieces (job_id, number, task, attempt, bytes) VALUES (?, ?, ?, ?, ?)`,
    input.jobId,
    (row?.number ?? 0) + 1,
    input.task,
    input.attempt,
    input.bytes,
  );
};

export interface LogPiece {
  readonly number: number;
  readonly task: number;
  readonly attempt: number;
  readonly bytes: Buffer;
}

interface LogRow extends Record<string, string | number | Uint8Array | null> {
  number: number;
  task: number;
  attempt: number;
  bytes: Buffer;
}

/** Pieces read in one call. */
const piecesMax = 16;

/** The next pieces of a job's log in the order they came. */
export const followLog: Procedure<{ jobId: string; after: number }, LogPiece[]> = async (
  tx,
  { jobId, after },
) =>
  await tx.all<LogRow>(
    `SELECT number, task, attempt, bytes FROM log_pieces WHERE job_id = ? AND number > ? ORDER BY number LIMIT ?`,
    jobId,
    after,
    piecesMax,
  );

/** Where a reader of a whole log stands. */
export interface LogPlace {
  readonly task: number;
  readonly attempt: number;
  readonly number: number;
}

/** The next pieces of a job's log, attempt by attempt in task order. */
export const readLog: Procedure<{ jobId: string; after: LogPlace }, LogPiece[]> = async (
  tx,
  { jobId, after },
) =>
  await tx.all<LogRow>(
    `SELECT number, task, attempt, bytes FROM log_pieces WHERE job_id = ?
     AND (task > ? OR (task = ? AND (attempt > ? OR (attempt = ? AND number > ?)))) ORDER BY task, attempt, number LIMIT ?`,
    jobId,
    after.task,
    after.task,
    after.attempt,
    after.attempt,
    after.number,
    piecesMax,
  );
