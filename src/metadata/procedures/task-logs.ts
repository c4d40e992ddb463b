import type { Procedure } from "../metadata-store.ts";
import { requireHeld, type TaskClaim } from "./tasks.ts";

/** Adds to the log of an attempt. */
export const appendLog: Procedure<TaskClaim & { bytes: Buffer }, void> = async (tx, input) => {
  await requireHeld(tx, input);
  const row = await tx.get<{ seq: number | null }>(
    `SELECT MAX(seq) AS seq FROM log_pieces WHERE job_id = ? AND task = ? AND attempt = ?`,
    input.jobId,
    input.task,
    input.attempt,
  );
  await tx.run(
    `INSERT INTO log_pieces (job_id, task, attempt, seq, bytes) VALUES (?, ?, ?, ?, ?)`,
    input.jobId,
    input.task,
    input.attempt,
    (row?.seq ?? 0) + 1,
    input.bytes,
  );
};

export interface LogPiece {
  readonly task: number;
  readonly attempt: number;
  readonly seq: number;
  readonly bytes: Buffer;
}

/** Log pieces of one attempt after a sequence number, about 1 MiB at a time. */
export const readLog: Procedure<
  { jobId: string; task: number; attempt: number; afterSeq: number },
  LogPiece[]
> = async (tx, input) =>
  await tx.all<{ task: number; attempt: number; seq: number; bytes: Buffer }>(
    `SELECT task, attempt, seq, bytes FROM log_pieces WHERE job_id = ? AND task = ? AND attempt = ? AND seq > ? ORDER BY seq LIMIT 16`,
    input.jobId,
    input.task,
    input.attempt,
    input.afterSeq,
  );
