import { CodedError } from "../../base/errors.ts";
import type { JobInfo } from "../../model/job.ts";
import type { Procedure, Tx } from "../metadata-store.ts";
import { archiveWithEffects } from "./archive.ts";
import { cancelCommit, endOpenTasks } from "./finishing.ts";
import { discardJobAttempts } from "./garbage.ts";
import { infoOf, limitsOf, planOf, requireJob, type JobRow } from "./job-rows.ts";
import { insertOutputCommit, limitJob } from "./jobs.ts";
import { emit, emitAt } from "./outbox.ts";
import { parkTasks } from "./parked-tasks.ts";
import { removeEntries } from "./job-entries.ts";
import { releaseReused, runLostTasks } from "./reuse.ts";
import { requireRepo } from "./repos.ts";
import { findAnswer, keepAnswer } from "./requests.ts";

const going: ReadonlySet<string> = new Set(["creating", "running"]);

/** Ends a job that is going on, as failed: its output commit is cancelled, its tasks run for nobody. */
export async function abortJob(
  tx: Tx,
  job: Pick<JobRow, "id" | "output_uid">,
  error: string,
): Promise<void> {
  await tx.run(`UPDATE jobs SET error = ? WHERE id = ? AND error = ''`, error, job.id);
  const open = await tx.get(
    `SELECT uid FROM commits WHERE uid = ? AND state IN ('open', 'closing')`,
    job.output_uid,
  );
  if (open !== undefined && job.output_uid !== null) {
    await cancelCommit(tx, { uid: job.output_uid });
    return;
  }
  const changed = await tx.run(
    `UPDATE jobs SET state = 'failure', finished_micros = ? WHERE id = ? AND state IN ('creating', 'running')`,
    tx.nowMicros,
    job.id,
  );
  if (changed === 0) return;
  await endOpenTasks(tx, job.id);
  await emit(tx, "job_finished", job.id);
}

/** Ends a job that is going on. @throws CodedError `failed_precondition` when it has ended */
export const stopJob: Procedure<{ id: string; error: string; key?: string }, JobInfo> = async (
  tx,
  { id, error, key },
) => {
  const answered = await findAnswer<JobInfo>(tx, key);
  if (answered !== undefined) return answered;
  const row = await requireJob(tx, id);
  if (!going.has(row.state))
    throw new CodedError(
      "failed_precondition",
      `Cannot stop job ${row.id}: it has ended (${row.state})`,
      { details: { job: row.id, state: row.state } },
    );
  await abortJob(tx, row, error);
  const info = await infoOf(tx, await requireJob(tx, row.id));
  await keepAnswer(tx, key, info);
  return info;
};

/**
 * Ends a job that has not ended in its time; does nothing when it has, was deleted, or was started again and
 * has time left.
 */
export const endOverdueJob: Procedure<{ id: string; error: string }, boolean> = async (
  tx,
  { id, error },
) => {
  const row = await tx.get<JobRow>(`SELECT * FROM jobs WHERE id = ?`, id);
  if (row === undefined || !going.has(row.state) || row.tasks_micros === null) return false;
  const dueMicros = row.tasks_micros + limitsOf(row).jobTimeoutMs * 1_000;
  if (tx.nowMicros < dueMicros) {
    await emitAt(tx, "job_overdue", row.id, dueMicros);
    return false;
  }
  await abortJob(tx, row, error);
  return true;
};

/**
 * Has a failed job done again under its id, into an output commit of its own; the one that was cancelled
 * is archived. With `failedOnly`, what tasks that succeeded have written stays, and they do not run again.
 */
export const restartJob: Procedure<
  { id: string; failedOnly: boolean; outputUid: string; newBranch: string; key?: string },
  JobInfo
> = async (tx, input) => {
  const answered = await findAnswer<JobInfo>(tx, input.key);
  if (answered !== undefined) return answered;
  const row = await requireJob(tx, input.id);
  refuseUnlessFailed(row);
  await requireRepo(tx, row.output_repo);
  const before =
    row.output_uid === null
      ? undefined
      : await tx.get<{ uid: string; parent_uid: string | null }>(
          `SELECT uid, parent_uid FROM commits WHERE uid = ?`,
          row.output_uid,
        );
  if (before !== undefined) await archiveWithEffects(tx, before.uid);
  if (input.failedOnly && planOf(row) !== undefined && before !== undefined)
    await runFailedTasks(tx, row, { ...input, parentUid: before.parent_uid ?? undefined });
  else await runAllTasks(tx, row);
  const info = await infoOf(tx, await requireJob(tx, row.id));
  await keepAnswer(tx, input.key, info);
  return info;
};

function refuseUnlessFailed({ id, state, pipeline }: JobRow): void {
  if (state === "failure") return;
  const remedy = going.has(state)
    ? `it is still going on. Stop it first: "pachctl stop-job ${id}"`
    : pipeline === ""
      ? "it has not failed. Create another one"
      : `it has not failed. To have the pipeline run once more: "pachctl run-pipeline ${pipeline}"`;
  throw new CodedError("failed_precondition", `Cannot restart job ${id}: ${remedy}`, {
    details: { job: id, state },
  });
}

async function runFailedTasks(
  tx: Tx,
  row: JobRow,
  output: { outputUid: string; newBranch: string; parentUid: string | undefined },
): Promise<void> {
  await insertOutputCommit(tx, row, output);
  await runLostTasks(tx, row.id);
  await tx.run(
    `UPDATE tasks SET state = 'unassigned', failures = 0, token = '', due_micros = ? WHERE job_id = ? AND state <> 'success'`,
    tx.nowMicros,
    row.id,
  );
  await parkTasks(tx, row);
  const left = await tx.get<{ count: number | null }>(
    `SELECT SUM(span) AS count FROM tasks WHERE job_id = ? AND state <> 'success'`,
    row.id,
  );
  const tasksLeft = Number(left?.count ?? 0);
  await tx.run(
    `UPDATE jobs SET state = 'creating', error = '', finished_micros = NULL, output_uid = ?, disjoint = 0, tasks_left = ?, tasks_failed = 0, tasks_micros = ? WHERE id = ?`,
    output.outputUid,
    tasksLeft,
    tx.nowMicros,
    row.id,
  );
  await limitJob(tx, row);
  if (tasksLeft === 0) await emit(tx, "tasks_done", row.id);
}

async function runAllTasks(tx: Tx, row: JobRow): Promise<void> {
  await removeTasks(tx, row.id);
  await tx.run(
    `UPDATE jobs SET state = 'creating', error = '', finished_micros = NULL, output_uid = NULL, plan = '', tasks_left = 0, tasks_total = 0, tasks_skipped = 0, tasks_failed = 0, reuse_key = '', tasks_micros = NULL, output_bytes = 0, stages = CASE WHEN stages = '' THEN '' ELSE '[]' END WHERE id = ?`,
    row.id,
  );
  await emit(tx, "job_created", row.id);
}

async function removeTasks(tx: Tx, jobId: string): Promise<void> {
  await discardJobAttempts(tx, jobId);
  await tx.run(`DELETE FROM log_pieces WHERE job_id = ?`, jobId);
  await releaseReused(tx, jobId);
  await removeEntries(tx, jobId);
  await tx.run(`DELETE FROM task_keys WHERE job_id = ?`, jobId);
  await tx.run(`DELETE FROM job_splits WHERE job_id = ?`, jobId);
  await tx.run(`DELETE FROM attempts WHERE job_id = ?`, jobId);
  await tx.run(`DELETE FROM tasks WHERE job_id = ?`, jobId);
}

/**
 * Removes a job with its tasks and logs; one that is going on is ended first. What it wrote stays. Jobs that
 * came after it continue what came before it.
 */
export const deleteJob: Procedure<{ id: string; key?: string }, { id: string }> = async (
  tx,
  { id, key },
) => {
  const answered = await findAnswer<{ id: string }>(tx, key);
  if (answered !== undefined) return answered;
  const row = await requireJob(tx, id);
  await removeJob(tx, row);
  const answer = { id: row.id };
  await keepAnswer(tx, key, answer);
  return answer;
};

async function removeJob(tx: Tx, row: JobRow): Promise<void> {
  if (going.has(row.state)) await abortJob(tx, row, "the job was deleted");
  const waiting = await tx.all<{ id: string }>(
    `SELECT id FROM jobs WHERE parent_id = ? AND state = 'creating'`,
    row.id,
  );
  await tx.run(`UPDATE jobs SET parent_id = ? WHERE parent_id = ?`, row.parent_id, row.id);
  await removeTasks(tx, row.id);
  await tx.run(`DELETE FROM job_inputs WHERE job_id = ?`, row.id);
  await tx.run(`DELETE FROM jobs WHERE id = ?`, row.id);
  // They waited for this one, whose end nobody can be told of any more.
  for (const child of waiting) await emit(tx, "job_created", child.id);
}

/** Removes the jobs of no pipeline, some at a time; gives back those removed. */
export const deleteLooseJobs: Procedure<{ limit: number }, { jobs: string[] }> = async (
  tx,
  { limit },
) => {
  const rows = await tx.all<JobRow>(
    `SELECT * FROM jobs WHERE pipeline = '' ORDER BY number DESC LIMIT ?`,
    limit,
  );
  for (const row of rows) await removeJob(tx, row);
  return { jobs: rows.map(({ id }) => id) };
};
