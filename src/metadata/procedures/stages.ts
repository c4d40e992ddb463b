import { CodedError } from "../../base/errors.ts";
import { GiB } from "../../base/size.ts";
import type { MapReduce } from "../../model/map-reduce.ts";
import type { Transform } from "../../model/spec-schema.ts";
import type { JobStage, Split, TaskFacts } from "../../model/stage-work.ts";
import type { Procedure, Tx } from "../metadata-store.ts";
import type { CommitRow } from "./commit-rows.ts";
import { stagesOf, type JobRow } from "./job-rows.ts";
import type { JobStart } from "./jobs.ts";
import { parkTasks } from "./parked-tasks.ts";
import { keepTaskKeys, taskDeltas, type TaskDelta } from "./reuse.ts";
import type { TaskClaim } from "./tasks.ts";
import { eachTogether } from "./together.ts";

/** A stage about to begin. */
export interface NewStage extends Pick<JobStage, "name" | "tasks" | "boundaries"> {
  /** What each of its tasks reads, when that is not to be told from its number. */
  readonly splits?: readonly Split[];
  /** By which key the output of each of its tasks is found by later jobs. Default: it is not. */
  readonly keys?: readonly string[];
}

/** Where the output of stages goes: the one branch that everybody finds. */
const stageBranchName = "master";

/** Records that a stage of a job has begun, and what its tasks read; the tasks are the caller's. */
export async function noteStage(
  tx: Tx,
  row: Pick<JobRow, "id" | "stages">,
  { name, tasks, first, boundaries, splits = [], keys = [] }: NewStage & { first: number },
): Promise<void> {
  const stage: JobStage = {
    name,
    first,
    tasks,
    startedMicros: tx.nowMicros,
    ...(boundaries === undefined ? {} : { boundaries }),
  };
  await tx.run(
    `UPDATE jobs SET stages = ? WHERE id = ?`,
    JSON.stringify([...stagesOf(row), stage]),
    row.id,
  );
  const numbers = Array.from(splits, (_, i) => i);
  await eachTogether(numbers, (i) =>
    tx.run(
      `INSERT INTO job_splits (job_id, task, split) VALUES (?, ?, ?)`,
      row.id,
      first + i,
      JSON.stringify(splits[i]),
    ),
  );
  const keyed = keys.map((key, i) => ({ task: first + i, key }));
  await keepTaskKeys(tx, { jobId: row.id, tasks: keyed });
}

/**
 * Begins the next stage of a job all of whose tasks have succeeded. Does nothing when it has begun, or the job
 * has ended; `after`: stages that the caller knows of.
 */
export const startStage: Procedure<{ id: string; after: number; stage: NewStage }, void> = async (
  tx,
  { id, after, stage },
) => {
  const row = await tx.get<JobRow>(
    `SELECT * FROM jobs WHERE id = ? AND state IN ('creating', 'running') AND tasks_left = 0`,
    id,
  );
  if (row === undefined || stagesOf(row).length !== after) return;
  const first = row.tasks_total;
  await noteStage(tx, row, { ...stage, first });
  await tx.run(
    `INSERT INTO tasks (job_id, task, span, state, due_micros, attempts, failures, token) VALUES (?, ?, ?, 'unassigned', ?, 0, 0, '')`,
    id,
    first,
    stage.tasks,
    tx.nowMicros,
  );
  await parkTasks(tx, row);
  await tx.run(
    `UPDATE jobs SET tasks_left = ?, tasks_total = ? WHERE id = ?`,
    stage.tasks,
    first + stage.tasks,
    id,
  );
};

/** What one task reads; undefined when nothing was recorded. */
export const jobSplit: Procedure<{ jobId: string; task: number }, { split?: Split }> = async (
  tx,
  { jobId, task },
) => {
  const row = await tx.get<{ split: string }>(
    `SELECT split FROM job_splits WHERE job_id = ? AND task = ?`,
    jobId,
    task,
  );
  return row === undefined ? {} : { split: JSON.parse(row.split) as Split };
};

/**
 * What the tasks of a job's first stage have written, or taken, in task order.
 *
 * @throws CodedError `failed_precondition` when that of one is not there any more
 */
export const stageOutputs: Procedure<{ jobId: string }, TaskDelta[]> = async (tx, { jobId }) => {
  const row = await tx.get<JobRow>(`SELECT * FROM jobs WHERE id = ?`, jobId);
  const span = row === undefined ? 0 : (stagesOf(row)[0]?.tasks ?? 0);
  const deltas = await taskDeltas(tx, { jobId, ranges: [{ task: 0, span }] });
  if (deltas !== undefined) return deltas.toSorted((a, b) => a.task - b.task);
  throw new CodedError(
    "failed_precondition",
    `What the mappers of job ${jobId} printed is not there any more. Run it again: "pachctl restart-job ${jobId}"`,
    { details: { job: jobId } },
  );
};

/** Keeps what a task has counted. */
export async function keepFacts(
  tx: Tx,
  { jobId, task, attempt }: TaskClaim,
  facts: TaskFacts,
): Promise<void> {
  await tx.run(
    `UPDATE attempts SET facts = ? WHERE job_id = ? AND task = ? AND attempt = ?`,
    JSON.stringify(facts),
    jobId,
    task,
    attempt,
  );
}

/** What mappers of one pipeline have printed and is kept for its next jobs, at most. */
const keptBytesMax = 4 * GiB;

/**
 * Lets go of what the stages of a job that has succeeded have written for one another, and of what it did not take
 * from earlier jobs: all of it, or all but the runs that the next job may take.
 */
export async function dropStageOutputs(tx: Tx, jobId: string): Promise<void> {
  const row = await tx.get<JobRow>(`SELECT * FROM jobs WHERE id = ?`, jobId);
  const first = row === undefined ? undefined : stagesOf(row)[0];
  if (row === undefined || first === undefined) return;
  const isKept = mapReduceOf(row)?.keep === true || (await isKeptForLater(tx, row, first));
  if (!isKept) {
    await tx.run(`DELETE FROM task_keys WHERE job_id = ?`, jobId);
    if (first.tasks < row.tasks_total)
      await tx.run(
        `UPDATE attempts SET entries = NULL, root = NULL WHERE job_id = ? AND task < ?`,
        jobId,
        first.tasks,
      );
  }
  if (row.pipeline !== "" && row.reuse !== 0) await dropUntaken(tx, row);
}

async function isKeptForLater(tx: Tx, row: JobRow, { tasks }: JobStage): Promise<boolean> {
  if (row.reuse === 0 || row.pipeline === "") return false;
  const own = await tx.get<{ bytes: number | null }>(
    `SELECT SUM(a.bytes) AS bytes FROM attempts a WHERE a.job_id = ? AND a.task < ? AND a.state = 'success'`,
    row.id,
    tasks,
  );
  const taken = await tx.get<{ bytes: number | null }>(
    `SELECT SUM(a.bytes) AS bytes FROM reused_tasks r JOIN attempts a ON a.job_id = r.from_job AND a.task >= r.from_task
     AND a.task < r.from_task + r.span AND a.state = 'success' WHERE r.job_id = ?`,
    row.id,
  );
  return Number(own?.bytes ?? 0) + Number(taken?.bytes ?? 0) <= keptBytesMax;
}

/** Earlier jobs of the same pipeline keep what this one took, and what one that goes on has taken. */
async function dropUntaken(tx: Tx, row: JobRow): Promise<void> {
  await tx.run(
    `UPDATE attempts SET entries = NULL, root = NULL WHERE (entries IS NOT NULL OR root IS NOT NULL)
     AND job_id IN (SELECT id FROM jobs WHERE pipeline = ? AND stages <> '' AND state = 'success' AND number < ? AND transform NOT LIKE '%"keep":true%')
     AND NOT EXISTS (SELECT 1 FROM reused_tasks r JOIN jobs j ON j.id = r.job_id WHERE r.from_job = attempts.job_id
       AND r.from_task <= attempts.task AND r.from_task + r.span > attempts.task AND (j.id = ? OR j.state IN ('creating', 'running')))`,
    row.pipeline,
    row.number,
    row.id,
  );
  await tx.run(
    `DELETE FROM task_keys
     WHERE job_id IN (SELECT id FROM jobs WHERE pipeline = ? AND stages <> '' AND state = 'success' AND number < ? AND transform NOT LIKE '%"keep":true%')
     AND NOT EXISTS (SELECT 1 FROM reused_tasks r JOIN jobs j ON j.id = r.job_id WHERE r.from_job = task_keys.job_id
       AND r.from_task <= task_keys.task AND r.from_task + r.span > task_keys.task AND (j.id = ? OR j.state IN ('creating', 'running')))`,
    row.pipeline,
    row.number,
    row.id,
  );
}

/**
 * Where a job in stages writes: behind the last commit of master, or, while another one is writing there, on a
 * branch of its own.
 */
export async function stageBranch<T extends Pick<JobStart, "newBranch" | "parentUid">>(
  tx: Tx,
  job: JobRow,
  input: T,
): Promise<T> {
  if (job.stages === "" || input.parentUid !== undefined) return input;
  const last = await tx.get<CommitRow>(
    `SELECT * FROM commits WHERE repo = ? AND branch = ? AND state <> 'cancelled' ORDER BY number DESC LIMIT 1`,
    job.output_repo,
    stageBranchName,
  );
  if (last === undefined) return { ...input, newBranch: stageBranchName };
  return last.state === "finished" ? { ...input, parentUid: last.uid } : input;
}

function mapReduceOf(row: JobRow): MapReduce | undefined {
  return (JSON.parse(row.transform) as Transform).mapReduce;
}
