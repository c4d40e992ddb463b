import type { AttemptInfo, TaskInfo, TaskState } from "../../model/job.ts";
import type { Tx } from "../metadata-store.ts";
import { reusedOf } from "./reuse.ts";

/** Tasks shown of one job. */
const shownMax = 1_000;

interface TaskRow extends Record<string, string | number | Uint8Array | null> {
  task: number;
  span: number;
  state: TaskState;
}

interface AttemptRow extends Record<string, string | number | Uint8Array | null> {
  task: number;
  attempt: number;
  worker: string;
  state: AttemptInfo["state"];
  error: string;
  started_micros: number;
  finished_micros: number | null;
}

/** Ranges of tasks that took another's output, shown of one job. */
const skippedShownMax = 200;

/** Those that did not have to run, as they took the output of others, and those that did, in order. */
export async function tasksOf(tx: Tx, jobId: string): Promise<TaskInfo[]> {
  const skipped = (await reusedOf(tx, jobId))
    .slice(0, skippedShownMax)
    .map(({ task, span, fromJob, fromTask }): TaskInfo => ({
      task,
      ...(span === 1 ? {} : { count: span }),
      state: "skipped",
      attempts: [],
      ...(fromJob === "" ? {} : { from: { job: fromJob, task: fromTask } }),
    }));
  return [...(await ranOf(tx, jobId)), ...skipped].toSorted((a, b) => a.task - b.task);
}

/** The tasks of a job that run, with their attempts, in order. When they are too many, those that are not a success come first. */
async function ranOf(tx: Tx, jobId: string): Promise<TaskInfo[]> {
  const rows = await tx.all<TaskRow>(
    `SELECT task, span, state FROM tasks WHERE job_id = ? AND state <> 'success' ORDER BY task LIMIT ?`,
    jobId,
    shownMax,
  );
  rows.push(
    ...(await tx.all<TaskRow>(
      `SELECT task, span, state FROM tasks WHERE job_id = ? AND state = 'success' ORDER BY task LIMIT ?`,
      jobId,
      shownMax - rows.length,
    )),
  );
  rows.sort((a, b) => a.task - b.task);
  const attempts = await attemptsOf(tx, jobId, rows);
  const infos: TaskInfo[] = [];
  let room = shownMax - rows.length;
  for (const { task, span, state } of rows) {
    const alone = Math.min(span, room + 1);
    for (let i = 0; i < alone; i++)
      infos.push({ task: task + i, state, attempts: (i === 0 ? attempts.get(task) : []) ?? [] });
    room -= alone - 1;
    if (span > alone) infos.push({ task: task + alone, count: span - alone, state, attempts: [] });
  }
  return infos;
}

async function attemptsOf(
  tx: Tx,
  jobId: string,
  rows: readonly TaskRow[],
): Promise<Map<number, AttemptInfo[]>> {
  const found = new Map<number, AttemptInfo[]>();
  const [first, last] = [rows[0], rows.at(-1)];
  if (first === undefined || last === undefined) return found;
  const shown = new Set(rows.map(({ task }) => task));
  for (const row of await tx.all<AttemptRow>(
    `SELECT task, attempt, worker, state, error, started_micros, finished_micros FROM attempts WHERE job_id = ? AND task >= ? AND task <= ? ORDER BY task, attempt`,
    jobId,
    first.task,
    last.task,
  )) {
    if (!shown.has(row.task)) continue;
    const list = found.get(row.task) ?? [];
    found.set(row.task, list);
    list.push({
      attempt: row.attempt,
      worker: row.worker,
      state: row.state,
      startedMicros: row.started_micros,
      ...(row.error === "" ? {} : { error: row.error }),
      ...(row.finished_micros === null ? {} : { finishedMicros: row.finished_micros }),
    });
  }
  return found;
}
