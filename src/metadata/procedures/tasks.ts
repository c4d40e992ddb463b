import { CodedError } from "../../base/errors.ts";
import type { TaskFacts } from "../../model/stage-work.ts";
import type { Procedure, Tx } from "../metadata-store.ts";
import type { Sealed } from "../sealed.ts";
import { limitsOf, planOf, stagesOf, type JobPlan, type JobRow } from "./job-rows.ts";
import { emit } from "./outbox.ts";
import { unparkTask } from "./parked-tasks.ts";
import { recordSealed } from "./packs.ts";
import type { TaskDelta } from "./reuse.ts";
import { keepFacts } from "./stages.ts";
import type { NewRun } from "./staging.ts";

/**
 * Attempts that end because their worker is gone are nobody's failure; but a task that keeps taking its
 * worker along must end some time.
 */
const lostMax = 20;

/** A claimed task; `token` fences the attempt. */
export interface TaskClaim {
  readonly jobId: string;
  readonly task: number;
  readonly attempt: number;
  readonly token: string;
}

interface DueTask extends Record<string, string | number | Uint8Array | null> {
  job_id: string;
  task: number;
  /** So many tasks from `task` on, all as new. */
  span: number;
  state: string;
  due_micros: number;
  attempts: number;
  failures: number;
}

/** A claim, and where the task writes to: another place each time its job is started. */
export type NewClaim = TaskClaim & { readonly outputUid: string };

/** Takes due tasks: new ones, those given back, and those whose lease has run out. */
export const claimTasks: Procedure<
  { worker: string; tokens: string[]; leaseMs: number },
  NewClaim[]
> = async (tx, input) => {
  const claims: NewClaim[] = [];
  const due = await dueTasks(tx, "assigned", input.tokens.length);
  due.push(...(await dueTasks(tx, "unassigned", input.tokens.length - due.length)));
  for (const row of due) {
    const last = { jobId: row.job_id, task: row.task, attempt: row.attempts };
    if (row.state === "assigned")
      await endAttempt(tx, last, "lost: its worker stopped renewing the lease");
    if (row.attempts > 0 && (await isSpent(tx, { ...last, failures: row.failures }))) {
      await endTask(tx, last, "failure");
      continue;
    }
    const room = input.tokens.length - claims.length;
    const outputUid = await beginTasks(tx, row.job_id);
    for (const task of await takeTasks(tx, row, room)) {
      const token = input.tokens[claims.length]!;
      const claim = { jobId: row.job_id, task, attempt: row.attempts + 1, token };
      await beginAttempt(tx, claim, input);
      claims.push({ ...claim, outputUid });
    }
  }
  return claims;
};

/** Whether a task has failed, or lost its worker, as often as it may, since its job was last started. */
async function isSpent(
  tx: Tx,
  { jobId, task, attempt, failures }: AttemptName & { failures: number },
): Promise<boolean> {
  const job = await tx.get<{ limits: string; tasks_micros: number | null }>(
    `SELECT limits, tasks_micros FROM jobs WHERE id = ?`,
    jobId,
  );
  if (failures > limitsOf({ limits: job?.limits ?? "{}" }).retries) return true;
  if (attempt < lostMax) return false;
  const lost = await tx.get<{ count: number }>(
    `SELECT COUNT(*) AS count FROM attempts WHERE job_id = ? AND task = ? AND started_micros >= ? AND error LIKE 'lost: %'`,
    jobId,
    task,
    job?.tasks_micros ?? 0,
  );
  return Number(lost?.count ?? 0) >= lostMax;
}

/** Up to `count` tasks of a row, each in a row of its own; the rest of a range stays one row. */
async function takeTasks(tx: Tx, row: DueTask, count: number): Promise<number[]> {
  const taken = Math.min(row.span, count);
  const tasks = Array.from({ length: taken }, (_, i) => row.task + i);
  if (row.span === 1 || taken === 0) return tasks;
  const own = tasks.slice(1).map((task) => ({ task, span: 1 }));
  const rest = { task: row.task + taken, span: row.span - taken };
  await tx.run(`UPDATE tasks SET span = 1 WHERE job_id = ? AND task = ?`, row.job_id, row.task);
  for (const { task, span } of rest.span === 0 ? own : [...own, rest])
    await tx.run(
      `INSERT INTO tasks (job_id, task, span, state, due_micros, attempts, failures, token) VALUES (?, ?, ?, 'unassigned', ?, 0, 0, '')`,
      row.job_id,
      task,
      span,
      row.due_micros,
    );
  return tasks;
}

/** One state at a time: the index then gives them in order. */
async function dueTasks(
  tx: Tx,
  state: "assigned" | "unassigned",
  limit: number,
): Promise<DueTask[]> {
  return await tx.all<DueTask>(
    `SELECT job_id, task, span, state, due_micros, attempts, failures FROM tasks WHERE state = ? AND due_micros <= ? ORDER BY due_micros, job_id, task LIMIT ?`,
    state,
    tx.nowMicros,
    limit,
  );
}

async function beginAttempt(
  tx: Tx,
  claim: TaskClaim,
  { worker, leaseMs }: { worker: string; leaseMs: number },
): Promise<void> {
  const { jobId, task, attempt, token } = claim;
  await tx.run(
    `UPDATE tasks SET state = 'assigned', due_micros = ?, attempts = ?, token = ? WHERE job_id = ? AND task = ?`,
    tx.nowMicros + leaseMs * 1_000,
    attempt,
    token,
    jobId,
    task,
  );
  await tx.run(
    `INSERT INTO attempts (job_id, task, attempt, worker, token, state, error, started_micros, log_bytes) VALUES (?, ?, ?, ?, ?, 'running', '', ?, 0)`,
    jobId,
    task,
    attempt,
    worker,
    token,
    tx.nowMicros,
  );
}

/** The first task that is taken sets its job going; gives back the job's output. */
async function beginTasks(tx: Tx, jobId: string): Promise<string> {
  const job = await tx.get<{ state: string; output_uid: string | null }>(
    `SELECT state, output_uid FROM jobs WHERE id = ?`,
    jobId,
  );
  if (job?.state === "creating")
    await tx.run(`UPDATE jobs SET state = 'running' WHERE id = ?`, jobId);
  return job?.output_uid ?? "";
}

/** Refuses a caller that no longer holds the task. @throws CodedError `aborted` */
export async function requireHeld(tx: Tx, claim: TaskClaim): Promise<void> {
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
    `UPDATE attempts SET entries = ?, root = ?, bytes = ? WHERE job_id = ? AND task = ? AND attempt = ?`,
    input.run.entries,
    input.run.root,
    input.run.bytes,
    input.jobId,
    input.task,
    input.attempt,
  );
};

/**
 * Ends an attempt: a failed one is tried again after `delayMs`, as often as the job says. `image`: the digest
 * of that in which it ran. True when it may have been what the job waited for, so that there is an event.
 */
export const reportTask: Procedure<
  TaskClaim & {
    error?: string;
    delayMs: number;
    isFinal?: boolean;
    image?: string;
    hasOutput?: boolean;
    facts?: TaskFacts;
  },
  boolean
> = async (tx, input) => {
  const known = await knownAttempt(tx, input);
  if (known.isReported) return true;
  await requireHeld(tx, input);
  if (input.hasOutput === true && !known.isStored)
    throw new CodedError(
      "aborted",
      `What task ${input.task} of job ${input.jobId} wrote was lost with the database: it has to run again`,
    );
  if (input.facts !== undefined) await keepFacts(tx, input, input.facts);
  await endAttempt(tx, input, input.error);
  if (input.image !== undefined) await noteImage(tx, input.jobId, input.image);
  if (input.error === undefined) return await endTask(tx, input, "success");
  const { failures } = (await tx.get<{ failures: number }>(
    `UPDATE tasks SET failures = failures + 1, state = 'unassigned', token = '', due_micros = ? WHERE job_id = ? AND task = ? RETURNING failures`,
    tx.nowMicros + input.delayMs * 1_000,
    input.jobId,
    input.task,
  ))!;
  const isSpentNow = input.isFinal === true || (await isSpent(tx, { ...input, failures }));
  return isSpentNow && (await endTask(tx, input, "failure"));
};

/** A job whose tasks ran in several images is `mixed`: no other is as it. */
async function noteImage(tx: Tx, jobId: string, image: string): Promise<void> {
  await tx.run(
    `UPDATE jobs SET image_digest = CASE WHEN image_digest = '' THEN ? ELSE 'mixed' END WHERE id = ? AND image_digest <> ?`,
    image,
    jobId,
    image,
  );
}

/**
 * Whether this very report has come before: its answer was lost. And whether what the attempt wrote is there: a
 * database that went down for a moment may have forgotten what it had not synced.
 */
async function knownAttempt(
  tx: Tx,
  input: TaskClaim & { error?: string },
): Promise<{ isReported: boolean; isStored: boolean }> {
  const attempt = await tx.get<{ token: string; state: string; error: string; stored: number }>(
    `SELECT token, state, error, CASE WHEN entries IS NULL AND root IS NULL THEN 0 ELSE 1 END AS stored FROM attempts WHERE job_id = ? AND task = ? AND attempt = ?`,
    input.jobId,
    input.task,
    input.attempt,
  );
  const isReported =
    attempt?.token === input.token &&
    attempt.state === (input.error === undefined ? "success" : "failure") &&
    attempt.error === (input.error ?? "");
  return { isReported, isStored: attempt?.stored === 1 };
}

/**
 * Gives tasks back as if they had never been claimed: nothing of the attempts has happened. Those that are
 * not held with one of the tokens stay as they are.
 */
export const unclaimTasks: Procedure<
  { tokens: readonly string[]; delayMs: number },
  number
> = async (tx, { tokens, delayMs }) => {
  const unclaimed = new Set(tokens);
  const held = await tx.all<{ job_id: string; task: number; attempts: number; token: string }>(
    `SELECT job_id, task, attempts, token FROM tasks WHERE state = 'assigned'`,
  );
  let count = 0;
  for (const row of held.filter(({ token }) => unclaimed.has(token))) {
    await tx.run(
      `DELETE FROM attempts WHERE job_id = ? AND task = ? AND attempt = ?`,
      row.job_id,
      row.task,
      row.attempts,
    );
    await tx.run(
      `UPDATE tasks SET state = 'unassigned', token = '', attempts = attempts - 1, due_micros = ? WHERE job_id = ? AND task = ?`,
      tx.nowMicros + delayMs * 1_000,
      row.job_id,
      row.task,
    );
    count++;
  }
  return count;
};

/** Gives a task back: its worker is shutting down, which is not the task's failure. */
export const releaseTask: Procedure<TaskClaim, void> = async (tx, claim) => {
  await requireHeld(tx, claim);
  await release(tx, claim, "stopped with its worker");
};

/**
 * Gives back the tasks of workers that are not registered. Only for the sole owner of an embedded store, whose
 * own worker is dead.
 */
export async function releaseOwnTasks(tx: Tx): Promise<void> {
  for (const row of await tx.all<DueTask>(
    `SELECT t.job_id, t.task, t.span, t.state, t.due_micros, t.attempts, t.failures FROM tasks t
     JOIN attempts a ON a.job_id = t.job_id AND a.task = t.task AND a.attempt = t.attempts
     WHERE t.state = 'assigned' AND a.worker NOT IN (SELECT name FROM workers)`,
  )) {
    await release(
      tx,
      { jobId: row.job_id, task: row.task, attempt: row.attempts },
      "lost: its daemon was killed",
    );
  }
}

async function release(tx: Tx, attempt: AttemptName, why: string): Promise<void> {
  await endAttempt(tx, attempt, why);
  await tx.run(
    `UPDATE tasks SET state = 'unassigned', token = '', due_micros = ? WHERE job_id = ? AND task = ?`,
    tx.nowMicros,
    attempt.jobId,
    attempt.task,
  );
}

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

/** True when it was the last. */
async function endTask(
  tx: Tx,
  { jobId, task, attempt }: AttemptName,
  state: "success" | "failure",
): Promise<boolean> {
  await tx.run(
    `UPDATE tasks SET state = ?, token = '' WHERE job_id = ? AND task = ?`,
    state,
    jobId,
    task,
  );
  const job = await tx.get<{ tasks_left: number; stages: string }>(
    `UPDATE jobs SET tasks_left = tasks_left - 1, tasks_failed = tasks_failed + ?, output_bytes = output_bytes + (
       SELECT COALESCE(SUM(bytes), 0) FROM attempts WHERE job_id = ? AND task = ? AND attempt = ? AND state = 'success')
     WHERE id = ? RETURNING tasks_left, stages`,
    state === "failure" ? 1 : 0,
    jobId,
    task,
    attempt,
    jobId,
  );
  const isLast = job?.tasks_left === 0;
  if (isLast) await emit(tx, "tasks_done", jobId);
  else if ((job?.stages ?? "") !== "") await unparkTask(tx, jobId);
  return isLast;
}

/**
 * Where a job's output goes, that of the last attempt of each task, of its last stage if it has any, in task order, and
 * the first error.
 */
export const taskOutputs: Procedure<
  { jobId: string },
  {
    outputUid: string | null;
    /** Tasks that have not ended. */
    tasksLeft: number;
    hasStages: boolean;
    outputs: TaskDelta[];
    error?: string;
    /** Of a job whose tasks may be reused: how many of its own were, and what its output is made from. */
    reuse?: { skipped: number; exchange?: JobPlan["exchange"] };
  }
> = async (tx, { jobId }) => {
  const job = await tx.get<
    Pick<JobRow, "output_uid" | "tasks_left" | "tasks_skipped" | "reuse_key" | "plan" | "stages">
  >(
    `SELECT output_uid, tasks_left, tasks_skipped, reuse_key, plan, stages FROM jobs WHERE id = ?`,
    jobId,
  );
  const exchange = job === undefined ? undefined : planOf(job)?.exchange;
  const stages = job === undefined ? [] : stagesOf(job);
  const from = stages.at(-1)?.first ?? 0;
  const rows = await tx.all<{
    task: number;
    state: string;
    entries: Buffer | null;
    root: Buffer | null;
    error: string;
    attempts: number;
  }>(
    `SELECT t.task, t.state, t.attempts, a.entries, a.root, a.error FROM tasks t
     JOIN attempts a ON a.job_id = t.job_id AND a.task = t.task AND a.attempt = t.attempts WHERE t.job_id = ? AND (t.task >= ? OR t.state = 'failure') ORDER BY t.task`,
    jobId,
    from,
  );
  const failed = rows.find((row) => row.state === "failure");
  return {
    outputUid: job?.output_uid ?? null,
    tasksLeft: job?.tasks_left ?? 0,
    hasStages: stages.length > 0,
    outputs: rows
      .filter(({ task }) => task >= from)
      .map(({ task, entries, root }) => ({ task, entries, root })),
    ...(job === undefined || job.reuse_key === ""
      ? {}
      : { reuse: { skipped: job.tasks_skipped, ...(exchange === undefined ? {} : { exchange }) } }),
    ...(failed === undefined
      ? {}
      : { error: `task ${failed.task} failed after ${times(failed.attempts)}: ${failed.error}` }),
  };
};

function times(attempts: number): string {
  return attempts === 1 ? "1 attempt" : `${attempts} attempts`;
}
