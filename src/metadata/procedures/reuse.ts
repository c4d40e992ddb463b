import { CodedError } from "../../base/errors.ts";
import type { Procedure, Tx } from "../metadata-store.ts";
import { inputsOf, planOf, type JobPlan, type JobRow } from "./job-rows.ts";
import { eachTogether } from "./together.ts";

/** Tasks one after another. */
export interface TaskRange {
  readonly task: number;
  readonly span: number;
}

/** Tasks that take the output of as many tasks of another job, which ran them. */
export interface ReusedTasks extends TaskRange {
  /** Empty once that job is deleted. */
  readonly fromJob: string;
  readonly fromTask: number;
}

/** A job that ended before, whose tasks are as those of another wherever they are shown the same. */
export interface ReuseBase {
  readonly id: string;
  readonly plan: JobPlan;
  readonly tasks: number;
  /** Of its inputs (uid), in their order. */
  readonly inputUids: readonly string[];
  /** Its output, when no file in it is of two tasks and it begins with nothing; else null. */
  readonly outputUid: string | null;
  /** Another once it is restarted. */
  readonly run: string;
  readonly reused: readonly ReusedTasks[];
  /** Those that did not succeed. */
  readonly missing: readonly TaskRange[];
}

interface ReusedRow extends Record<string, string | number | Uint8Array | null> {
  task: number;
  span: number;
  from_job: string;
  from_task: number;
}

/**
 * The newest job of the same pipeline and the same facts, of which some task succeeded: one that succeeded
 * as a whole before one that did not.
 */
export const findReuseBase: Procedure<
  { jobId: string; key: string; image: string },
  ReuseBase | undefined
> = async (tx, { jobId, key, image }) => {
  const job = await tx.get<JobRow>(`SELECT * FROM jobs WHERE id = ?`, jobId);
  if (job === undefined) return undefined;
  const newest = async (state: "success" | "failure"): Promise<JobRow | undefined> =>
    await tx.get<JobRow>(
      `SELECT j.* FROM jobs j WHERE j.pipeline = ? AND j.reuse_key = ? AND j.state = ? AND j.image_digest = ? AND j.output_repo = ? AND j.id <> ?
         AND j.pipeline_version >= (SELECT p.reprocess_version FROM pipelines p WHERE p.name = j.pipeline) ORDER BY j.number DESC LIMIT 1`,
      job.pipeline,
      key,
      state,
      image,
      job.output_repo,
      jobId,
    );
  const row = (await newest("success")) ?? (await newest("failure"));
  const plan = row === undefined ? undefined : planOf(row);
  if (row === undefined || plan === undefined) return undefined;
  const isWhole = row.state === "success";
  return {
    id: row.id,
    plan,
    tasks: row.tasks_total,
    inputUids: (await inputsOf(tx, row.id)).map((input) => input.commit_uid),
    outputUid: isWhole && row.disjoint === 1 ? row.output_uid : null,
    run: row.output_uid ?? "",
    reused: await reusedOf(tx, row.id),
    missing: isWhole
      ? []
      : await tx.all<{ task: number; span: number }>(
          `SELECT task, span FROM tasks WHERE job_id = ? AND state <> 'success' ORDER BY task`,
          row.id,
        ),
  };
};

/** The tasks of a job that took another's output, in order. */
export async function reusedOf(tx: Tx, jobId: string): Promise<ReusedTasks[]> {
  const rows = await tx.all<ReusedRow>(
    `SELECT task, span, from_job, from_task FROM reused_tasks WHERE job_id = ? ORDER BY task`,
    jobId,
  );
  return rows.map(({ task, span, from_job: fromJob, from_task: fromTask }) => ({
    task,
    span,
    fromJob,
    fromTask,
  }));
}

/**
 * Records which tasks of a job need not run.
 *
 * @param base the earlier job that they were compared with; undefined when each was found by its key
 * @throws CodedError `aborted` when it, or a job whose output they take, was deleted or restarted meanwhile
 */
export async function insertReused(
  tx: Tx,
  jobId: string,
  { base, reused }: { base?: Pick<ReuseBase, "id" | "run">; reused: readonly ReusedTasks[] },
): Promise<void> {
  const gone = base === undefined ? await goneOf(tx, reused) : await goneThrough(tx, base, reused);
  if (gone !== undefined)
    throw new CodedError("aborted", `Job ${gone} was deleted or restarted meanwhile: look again`);
  await eachTogether(reused, ({ task, span, fromJob, fromTask }) =>
    tx.run(
      `INSERT INTO reused_tasks (job_id, task, span, from_job, from_task) VALUES (?, ?, ?, ?, ?)`,
      jobId,
      task,
      span,
      fromJob,
      fromTask,
    ),
  );
}

/** A job that has not all any more that these tasks take: what it lets go of is found by no key. */
async function goneOf(tx: Tx, reused: readonly ReusedTasks[]): Promise<string | undefined> {
  for (const { fromJob, fromTask, span } of reused) {
    const there = await tx.get<{ count: number }>(
      `SELECT COUNT(*) AS count FROM tasks t WHERE t.job_id = ? AND t.task >= ? AND t.task < ? AND t.state = 'success'
         AND EXISTS (SELECT 1 FROM task_keys k WHERE k.job_id = t.job_id AND k.task = t.task)`,
      fromJob,
      fromTask,
      fromTask + span,
    );
    if (Number(there?.count ?? 0) !== span) return fromJob;
  }
  return undefined;
}

/** The same for tasks that take from a job, or from others through it. */
async function goneThrough(
  tx: Tx,
  base: Pick<ReuseBase, "id" | "run">,
  reused: readonly ReusedTasks[],
): Promise<string | undefined> {
  for (const origin of new Set([base.id, ...reused.map(({ fromJob }) => fromJob)]))
    if (!(await gives(tx, base, origin))) return origin;
  return undefined;
}

/** Whether a job still has what it, or another through it, had to give. */
async function gives(
  tx: Tx,
  base: Pick<ReuseBase, "id" | "run">,
  origin: string,
): Promise<boolean> {
  const row =
    origin === base.id
      ? await tx.get(`SELECT id FROM jobs WHERE id = ? AND output_uid = ?`, base.id, base.run)
      : await tx.get(
          `SELECT task FROM reused_tasks WHERE job_id = ? AND from_job = ? LIMIT 1`,
          base.id,
          origin,
        );
  return row !== undefined;
}

/** The ranges of `tasks` tasks that are not among these, which are in order. */
export function rangesBetween(ranges: readonly TaskRange[], tasks: number): TaskRange[] {
  const between: TaskRange[] = [];
  let next = 0;
  for (const { task, span } of [...ranges, { task: tasks, span: 0 }]) {
    if (task > next) between.push({ task: next, span: task - next });
    next = task + span;
  }
  return between;
}

/**
 * Before the tasks of a job go: those of other jobs that took their outputs, and have not staged them yet, have to
 * run after all; of those that have, nothing can be taken any more.
 */
export async function releaseReused(tx: Tx, jobId: string): Promise<void> {
  await tx.run(`DELETE FROM reused_tasks WHERE job_id = ?`, jobId);
  const going = await tx.all<{ job_id: string }>(
    `SELECT DISTINCT r.job_id FROM reused_tasks r JOIN jobs j ON j.id = r.job_id
     WHERE r.from_job = ? AND j.state IN ('creating', 'running')
       AND NOT EXISTS (SELECT 1 FROM staged_runs s WHERE s.uid = j.output_uid)`,
    jobId,
  );
  await tx.run(`UPDATE reused_tasks SET from_job = '' WHERE from_job = ?`, jobId);
  for (const row of going) await runLostTasks(tx, row.job_id);
}

/** Has those tasks of a job run after all whose source was deleted; its output is then made from all of them. */
export async function runLostTasks(tx: Tx, jobId: string): Promise<void> {
  const lost = (await reusedOf(tx, jobId)).filter(({ fromJob }) => fromJob === "");
  const job = await tx.get<Pick<JobRow, "plan">>(`SELECT plan FROM jobs WHERE id = ?`, jobId);
  if (lost.length === 0 || job === undefined) return;
  const { exchange: _made, ...plan } = planOf(job) ?? { moduli: [], fromUids: [] };
  const span = lost.reduce((sum, range) => sum + range.span, 0);
  await tx.run(
    `UPDATE jobs SET tasks_left = tasks_left + ?, tasks_skipped = tasks_skipped - ?, plan = ? WHERE id = ?`,
    span,
    span,
    JSON.stringify(plan),
    jobId,
  );
  await tx.run(`DELETE FROM reused_tasks WHERE job_id = ? AND from_job = ''`, jobId);
  await eachTogether(lost, (range) => insertUnassigned(tx, jobId, range));
}

/** One row for all of them: each becomes a row of its own when it is claimed. */
export async function insertUnassigned(
  tx: Tx,
  jobId: string,
  { task, span }: TaskRange,
): Promise<void> {
  await tx.run(
    `INSERT INTO tasks (job_id, task, span, state, due_micros, attempts, failures, token) VALUES (?, ?, ?, 'unassigned', ?, 0, 0, '')`,
    jobId,
    task,
    span,
    tx.nowMicros,
  );
}

/** What a task wrote. */
export interface TaskDelta {
  readonly task: number;
  readonly entries: Buffer | null;
  readonly root: Buffer | null;
}

interface DeltaRow extends Record<string, string | number | Uint8Array | null> {
  task: number;
  entries: Buffer | null;
  root: Buffer | null;
}

/**
 * What the tasks of a job that took another's output have taken, in task order.
 *
 * @throws CodedError `failed_precondition` when some of it is not there: no output is made without it
 */
export const reusedOutputs: Procedure<{ jobId: string }, TaskDelta[]> = async (tx, { jobId }) => {
  const deltas: TaskDelta[] = [];
  for (const range of await reusedOf(tx, jobId)) {
    const taken = await takenBy(tx, range);
    deltas.push(...taken);
    // Whose source was deleted since needs it no more: all of it is staged.
    if (taken.length === range.span || range.fromJob === "") continue;
    throw new CodedError(
      "failed_precondition",
      `Cannot take the outputs of ${range.span} tasks of job ${range.fromJob}: ${taken.length} are there. Restart job ${jobId}`,
    );
  }
  return deltas;
};

async function takenBy(
  tx: Tx,
  { task, span, fromJob, fromTask }: ReusedTasks,
): Promise<TaskDelta[]> {
  const deltas = await deltasOf(tx, fromJob, { task: fromTask, span });
  return deltas.map((delta) => ({ ...delta, task: delta.task - fromTask + task }));
}

/** What tasks that ran have written; those that did not succeed are left out. */
async function deltasOf(tx: Tx, jobId: string, { task, span }: TaskRange): Promise<TaskDelta[]> {
  return await tx.all<DeltaRow>(
    `SELECT t.task, a.entries, a.root FROM tasks t JOIN attempts a ON a.job_id = t.job_id AND a.task = t.task AND a.attempt = t.attempts
     WHERE t.job_id = ? AND t.task >= ? AND t.task < ? AND t.state = 'success' ORDER BY t.task`,
    jobId,
    task,
    task + span,
  );
}

/** What some tasks of a job have written, or taken; undefined when that of one is not there any more. */
export const taskDeltas: Procedure<
  { jobId: string; ranges: readonly TaskRange[] },
  TaskDelta[] | undefined
> = async (tx, { jobId, ranges }) => {
  const deltas: TaskDelta[] = [];
  let count = 0;
  for (const { task, span } of ranges) {
    count += span;
    deltas.push(...(await deltasOf(tx, jobId, { task, span })));
    const taken = await tx.all<ReusedRow>(
      `SELECT task, span, from_job, from_task FROM reused_tasks WHERE job_id = ? AND task < ? AND task + span > ?`,
      jobId,
      task + span,
      task,
    );
    for (const row of taken) {
      const first = Math.max(row.task, task);
      const end = Math.min(row.task + row.span, task + span);
      const fromTask = row.from_task + first - row.task;
      const range = { task: first, span: end - first, fromJob: row.from_job, fromTask };
      deltas.push(...(await takenBy(tx, range)));
    }
  }
  return deltas.length === count ? deltas : undefined;
};

/** Says of a job that no file of this output, unless it has another by now, is of two of its tasks. */
export const markDisjoint: Procedure<{ id: string; outputUid: string }, void> = async (
  tx,
  { id, outputUid },
) => {
  await tx.run(`UPDATE jobs SET disjoint = 1 WHERE id = ? AND output_uid = ?`, id, outputUid);
};

/** Keeps by which keys the outputs of some tasks are found, once these have succeeded. */
export const keepTaskKeys: Procedure<
  { jobId: string; tasks: readonly { readonly task: number; readonly key: string }[] },
  void
> = async (tx, { jobId, tasks }) => {
  await eachTogether(tasks, ({ task, key }) =>
    tx.run(
      `INSERT INTO task_keys (key, job_id, task) VALUES (?, ?, ?) ON CONFLICT (key, job_id, task) DO NOTHING`,
      key,
      jobId,
      task,
    ),
  );
};

/** A task that succeeded, and what it wrote. */
export interface FoundTask extends TaskDelta {
  readonly key: string;
  readonly jobId: string;
  readonly attempt: number;
}

/** For each key a task that succeeded, if there is one: a task of any job with the same facts. */
export const findTasksByKey: Procedure<{ keys: readonly string[] }, FoundTask[]> = async (
  tx,
  { keys },
) => {
  const found: FoundTask[] = [];
  for (const key of new Set(keys)) {
    const row = await tx.get<DeltaRow & { job_id: string; attempt: number }>(
      `SELECT k.job_id, k.task, a.attempt, a.entries, a.root FROM task_keys k
       JOIN tasks t ON t.job_id = k.job_id AND t.task = k.task AND t.state = 'success'
       JOIN attempts a ON a.job_id = t.job_id AND a.task = t.task AND a.attempt = t.attempts
       WHERE k.key = ? LIMIT 1`,
      key,
    );
    if (row === undefined) continue;
    const { job_id: jobId, task, attempt, entries, root } = row;
    found.push({ key, jobId, task, attempt, entries, root });
  }
  return found;
};
