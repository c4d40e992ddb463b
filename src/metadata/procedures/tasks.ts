import { CodedError } from "../../base/errors.ts";
import type { Procedure, Tx } from "../metadata-store.ts";
import type { Sealed } from "../sealed.ts";
import { emit } from "./outbox.ts";
import { recordSealed } from "./packs.ts";
import type { NewRun } from "./staging.ts";

/** A task is tried by at most this many attempts (contract 3.7). */
export const attemptsMax = 3;

/** A claimed task; `token` fences the attempt. */
export interface TaskClaim {
  readonly jobId: string;
  readonly task: number;
  readonly attempt: number;
  readonly token: string;
}

/** Takes due tasks: new ones, those given back, and those whose lease has run out. */
export const claimTasks: Procedure<
  { worker: string; tokens: string[]; leaseMs: number },
  TaskClaim[]
> = async (tx, input) => {
  const claims: TaskClaim[] = [];
  const due = await tx.all<{ job_id: string; task: number; state: string; attempts: number }>(
    `SELECT job_id, task, state, attempts FROM tasks WHERE state IN ('unassigned', 'assigned') AND due_micros <= ? ORDER BY due_micros, job_id, task LIMIT ?`,
    tx.nowMicros,
    input.tokens.length,
  );
  for (const row of due) {
    if (row.state === "assigned")
      await endAttempt(
        tx,
        { jobId: row.job_id, task: row.task, attempt: row.attempts },
        "lost: its worker stopped renewing the lease",
      );
    if (row.attempts >= attemptsMax) {
      await endTask(tx, row.job_id, row.task, "failure");
      continue;
    }
    const token = input.tokens[claims.length]!;
    const attempt = row.attempts + 1;
    await tx.run(
      `UPDATE tasks SET state = 'assigned', due_micros = ?, attempts = ?, token = ? WHERE job_id = ? AND task = ?`,
      tx.nowMicros + input.leaseMs * 1_000,
      attempt,
      token,
      row.job_id,
      row.task,
    );
    await tx.run(
      `INSERT INTO attempts (job_id, task, attempt, worker, token, state, error, started_micros, log_bytes) VALUES (?, ?, ?, ?, ?, 'running', '', ?, 0)`,
      row.job_id,
      row.task,
      attempt,
      input.worker,
      token,
      tx.nowMicros,
    );
    await tx.run(
      `UPDATE jobs SET state = 'running' WHERE id = ? AND state = 'creating'`,
      row.job_id,
    );
    claims.push({ jobId: row.job_id, task: row.task, attempt, token });
  }
  return claims;
};

async function requireHeld(tx: Tx, claim: TaskClaim): Promise<void> {
  const row = await tx.get<{ state: string; token: string }>(
    `SELECT state, token FROM tasks WHERE job_id = ? AND task = ?`,
    claim.jobId,
    claim.task,
  );
  if (row?.state === "assigned" && row.token === claim.token) return;
  throw new CodedError(
    "aborted",
    `Task ${claim.task} of job ${claim.jobId} is no longer this worker's: the lease ran out or the job is gone`,
    { details: { job: claim.jobId, task: claim.task } },
  );
}

/** Prolongs the lease of a task. */
export const renewTask: Procedure<TaskClaim & { leaseMs: number }, void> = async (tx, claim) => {
  await requireHeld(tx, claim);
  await tx.run(
    `UPDATE tasks SET due_micros = ? WHERE job_id = ? AND task = ?`,
    tx.nowMicros + claim.leaseMs * 1_000,
    claim.jobId,
    claim.task,
  );
};

/** Stores what an attempt wrote; it counts only if the attempt then succeeds. */
export const storeOutput: Procedure<TaskClaim & { run: NewRun; sealed: Sealed }, void> = async (
  tx,
  input,
) => {
  await requireHeld(tx, input);
  await recordSealed(tx, input.sealed);
  await tx.run(
    `UPDATE attempts SET entries = ?, root = ? WHERE job_id = ? AND task = ? AND attempt = ?`,
    input.run.entries,
    input.run.root,
    input.jobId,
    input.task,
    input.attempt,
  );
};

/** Ends an attempt: a failed one is tried again after `delayMs`, three times in all. */
export const reportTask: Procedure<TaskClaim & { error?: string; delayMs: number }, void> = async (
  tx,
  input,
) => {
  await requireHeld(tx, input);
  await endAttempt(tx, input, input.error);
  if (input.error === undefined) return await endTask(tx, input.jobId, input.task, "success");
  if (input.attempt >= attemptsMax) return await endTask(tx, input.jobId, input.task, "failure");
  await tx.run(
    `UPDATE tasks SET state = 'unassigned', token = '', due_micros = ? WHERE job_id = ? AND task = ?`,
    tx.nowMicros + input.delayMs * 1_000,
    input.jobId,
    input.task,
  );
};

/** Gives a task back untried: its worker is shutting down. */
export const releaseTask: Procedure<TaskClaim, void> = async (tx, claim) => {
  await requireHeld(tx, claim);
  await tx.run(
    `DELETE FROM log_pieces WHERE job_id = ? AND task = ? AND attempt = ?`,
    claim.jobId,
    claim.task,
    claim.attempt,
  );
  await tx.run(
    `DELETE FROM attempts WHERE job_id = ? AND task = ? AND attempt = ?`,
    claim.jobId,
    claim.task,
    claim.attempt,
  );
  await tx.run(
    `UPDATE tasks SET state = 'unassigned', token = '', due_micros = ?, attempts = attempts - 1 WHERE job_id = ? AND task = ?`,
    tx.nowMicros,
    claim.jobId,
    claim.task,
  );
};

/** One try of a task. */
type AttemptName = Pick<TaskClaim, "jobId" | "task" | "attempt">;

async function endAttempt(tx: Tx, claim: AttemptName, error: string | undefined): Promise<void> {
  await tx.run(
    `UPDATE attempts SET state = ?, error = ?, finished_micros = ? WHERE job_id = ? AND task = ? AND attempt = ? AND state = 'running'`,
    error === undefined ? "success" : "failure",
    error ?? "",
    tx.nowMicros,
    claim.jobId,
    claim.task,
    claim.attempt,
  );
}

async function endTask(
  tx: Tx,
  jobId: string,
  task: number,
  state: "success" | "failure",
): Promise<void> {
  await tx.run(
    `UPDATE tasks SET state = ?, token = '' WHERE job_id = ? AND task = ?`,
    state,
    jobId,
    task,
  );
  const job = await tx.get<{ tasks_left: number }>(
    `UPDATE jobs SET tasks_left = tasks_left - 1 WHERE id = ? RETURNING tasks_left`,
    jobId,
  );
  if (job?.tasks_left === 0) await emit(tx, "tasks_done", jobId);
}

/** The output of the last attempt of each task, in task order, and the first error among them. */
export const taskOutputs: Procedure<
  { jobId: string },
  { outputs: { entries: Buffer | null; root: Buffer | null }[]; error?: string }
> = async (tx, { jobId }) => {
  const rows = await tx.all<{
    task: number;
    state: string;
    entries: Buffer | null;
    root: Buffer | null;
    error: string;
  }>(
    `SELECT t.task, t.state, a.entries, a.root, a.error FROM tasks t
     JOIN attempts a ON a.job_id = t.job_id AND a.task = t.task AND a.attempt = t.attempts WHERE t.job_id = ? ORDER BY t.task`,
    jobId,
  );
  const failed = rows.find((row) => row.state === "failure");
  return {
    outputs: rows.map((row) => ({ entries: row.entries, root: row.root })),
    ...(failed === undefined
      ? {}
      : { error: `task ${failed.task} failed after ${attemptsMax} attempts: ${failed.error}` }),
  };
};

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
