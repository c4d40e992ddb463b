import type { Transform } from "../../model/spec-schema.ts";
import type { Tx } from "../metadata-store.ts";
import type { JobRow } from "./job-rows.ts";

/** When a task is due that waits for another one of its job to end. */
const parkedMicros = Number.MAX_SAFE_INTEGER;

/** Lets only so many tasks of a job be taken as it has room for; the others wait. None is under way yet. */
export async function parkTasks(
  tx: Tx,
  { id, transform }: Pick<JobRow, "id" | "transform">,
): Promise<void> {
  const { tasksMax } = (JSON.parse(transform) as Transform).mapReduce ?? {};
  if (tasksMax === undefined) return;
  const rows = await tx.all<{ task: number; span: number }>(
    `SELECT task, span FROM tasks WHERE job_id = ? AND state = 'unassigned' ORDER BY task LIMIT ?`,
    id,
    tasksMax + 1,
  );
  let room = tasksMax;
  for (const { task, span } of rows) {
    if (span <= room) {
      room -= span;
      continue;
    }
    if (room > 0) {
      await tx.run(`UPDATE tasks SET span = ? WHERE job_id = ? AND task = ?`, room, id, task);
      await park(tx, id, { task: task + room, span: span - room });
    }
    await tx.run(
      `UPDATE tasks SET due_micros = ? WHERE job_id = ? AND task >= ? AND state = 'unassigned'`,
      parkedMicros,
      id,
      task + room,
    );
    return;
  }
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
