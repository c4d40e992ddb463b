import type { Procedure } from "../metadata-store.ts";
import { requireHeld, type TaskClaim } from "./tasks.ts";

/** What a worker may send for one attempt: its own bound, and what it says when that is reached. */
const attemptBytesMax = (8 * 1024 + 64) * 1024;

/**
 * Adds to the log of an attempt what stands at `offset` of it; what is there already is left. The number of a
 * piece is the time when it came, made larger than that of the piece before.
 */
export const appendLog: Procedure<TaskClaim & { offset: number; bytes: Buffer }, void> = async (
  tx,
  input,
) => {
  await requireHeld(tx, input);
  const attempt = await tx.get<{ log_bytes: number }>(
    `SELECT log_bytes FROM attempts WHERE job_id = ? AND task = ? AND attempt = ?`,
    input.jobId,
    input.task,
    input.attempt,
  );
  const end = input.offset + input.bytes.length;
  if (attempt === undefined || end > attemptBytesMax || end <= attempt.log_bytes) return;
  const bytes = input.bytes.subarray(Math.max(0, attempt.log_bytes - input.offset));
  const row = await tx.get<{ number: number | null }>(
    `SELECT MAX(number) AS number FROM log_pieces WHERE job_id = ?`,
    input.jobId,
  );
  await tx.run(
    `INSERT INTO log_pieces (job_id, number, task, attempt, bytes, size) VALUES (?, ?, ?, ?, ?, ?)`,
    input.jobId,
    Math.max((row?.number ?? 0) + 1, tx.nowMicros),
    input.task,
    input.attempt,
    bytes,
    bytes.length,
  );
  await tx.run(
    `UPDATE attempts SET log_bytes = ? WHERE job_id = ? AND task = ? AND attempt = ?`,
    end,
    input.jobId,
    input.task,
    input.attempt,
  );
};

export interface LogPiece {
  /** When it came, microseconds since 1970; ascending within a job. */
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

/** The next pieces of a job's log that came at `since` or later, attempt by attempt in task order. */
export const readLog: Procedure<
  { jobId: string; after: LogPlace; since: number },
  LogPiece[]
> = async (tx, { jobId, after, since }) =>
  await tx.all<LogRow>(
    `SELECT number, task, attempt, bytes FROM log_pieces WHERE job_id = ? AND number >= ?
     AND (task > ? OR (task = ? AND (attempt > ? OR (attempt = ? AND number > ?)))) ORDER BY task, attempt, number LIMIT ?`,
    jobId,
    since,
    after.task,
    after.task,
    after.attempt,
    after.attempt,
    after.number,
    piecesMax,
  );

/** Pieces that one call removes at most. */
const trimmedMax = 1_000;

/**
 * Removes the oldest pieces of all logs while there are more than `bytesMax` bytes, a thousand at most in one
 * call; gives back how many.
 */
export const trimLogs: Procedure<{ bytesMax: number }, number> = async (tx, { bytesMax }) => {
  const sum = await tx.get<{ total: number | null }>(`SELECT SUM(size) AS total FROM log_pieces`);
  let total = Number(sum?.total ?? 0);
  if (total <= bytesMax) return 0;
  const oldest = await tx.all<{ job_id: string; number: number; size: number }>(
    `SELECT job_id, number, size FROM log_pieces ORDER BY number LIMIT ?`,
    trimmedMax,
  );
  let removed = 0;
  for (const { job_id, number, size } of oldest) {
    if (total <= bytesMax) break;
    await tx.run(`DELETE FROM log_pieces WHERE job_id = ? AND number = ?`, job_id, number);
    total -= size;
    removed++;
  }
  return removed;
};
