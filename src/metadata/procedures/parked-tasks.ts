import type { Transform } from "../../model/spec-schema.ts";
import type { Tx } from "../metadata-store.ts";
import type { JobRow } from "./job-rows.ts";

/** When a task is due that waits for another one of its job to end. */
const parkedMicros = Number.MAX_SAFE_INTEGER;

/** Lets only so many tasks of a stage be taken as its job has room for; the others, which are one row, wait. */
export async function parkTasks(
  tx: Tx,
  { id, transform }: Pick<JobRow, "id" | "transform">,
  { first, tasks }: { first: number; tasks: number },
): Promise<void> {
  const { tasksMax = tasks } = (JSON.parse(transform) as Transform).mapReduce ?? {};
  if (tasksMax >= tasks) return;
  await tx.run(`UPDATE tasks SET span = ? WHERE job_id = ? AND task = ?`, tasksMax, id, first);
  await park(tx, id, { task: first + tasksMax, span: tasks - tasksMax });
}

/** Lets one more task of a job be taken, if there are any that wait. */
export async function unparkTask(tx: Tx, jobId: string): Promise<void> {
  const row = await tx.get<{ task: number; span: number }>(
    `SELECT task, span FROM tasks WHERE state = 'unassigned' AND due_micros = ? AND job_id = ? ORDER BY task LIMIT 1`,
    parkedMicros,
    jobId,
  );
  if (row === undefined) return;
  const { task, span } = row;
  await tx.run(
    `UPDATE tasks SET span = 1, due_micros = ? WHERE job_id = ? AND task = ?`,
    tx.nowMicros,
    jobId,
    task,
  );
  if (span > 1) await park(tx, jobId, { task: task + 1, span: span - 1 });
}

async function park(
  tx: Tx,
  jobId: string,
  { task, span }: { task: number; span: number },
): Promise<void> {
  await tx.run(
    `INSERT INTO tasks (job_id, task, span, state, due_micros, attempts, failures, token) VALUES (?, ?, ?, 'unassigned', ?, 0, 0, '')`,
    jobId,
    task,
    span,
    parkedMicros,
  );
}
