import type { MapReduce } from "../../model/map-reduce.ts";
import type { Transform } from "../../model/spec-schema.ts";
import type { JobStage, Split, TaskFacts } from "../../model/stage-work.ts";
import type { Procedure, Tx } from "../metadata-store.ts";
import type { CommitRow } from "./commit-rows.ts";
import { stagesOf, type JobRow } from "./job-rows.ts";
import type { JobStart } from "./jobs.ts";
import type { TaskClaim } from "./tasks.ts";
import { eachTogether } from "./together.ts";

/** A stage about to begin. */
export interface NewStage extends Pick<JobStage, "name" | "tasks" | "boundaries"> {
  /** What each of its tasks reads, when that is not to be told from its number. */
  readonly splits?: readonly Split[];
}

/** Where the output of stages goes: the one branch that everybody finds. */
const stageBranchName = "master";

/** Records that a stage of a job has begun, and what its tasks read; the tasks are the caller's. */
export async function noteStage(
  tx: Tx,
  row: Pick<JobRow, "id" | "stages">,
  { name, tasks, first, boundaries, splits = [] }: NewStage & { first: number },
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

/** What the tasks of a job's first stage have written, in task order. */
export const stageOutputs: Procedure<
  { jobId: string },
  { entries: Buffer | null; root: Buffer | null }[]
> = async (tx, { jobId }) => {
  const row = await tx.get<JobRow>(`SELECT * FROM jobs WHERE id = ?`, jobId);
  const tasks = row === undefined ? 0 : (stagesOf(row)[0]?.tasks ?? 0);
  return await tx.all<{ entries: Buffer | null; root: Buffer | null }>(
    `SELECT a.entries, a.root FROM tasks t
     JOIN attempts a ON a.job_id = t.job_id AND a.task = t.task AND a.attempt = t.attempts
     WHERE t.job_id = ? AND t.task < ? AND t.state = 'success' ORDER BY t.task`,
    jobId,
    tasks,
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

/** Lets go of what a job's stages have written for the next one, unless its spec says to keep it. */
export async function dropStageOutputs(tx: Tx, jobId: string): Promise<void> {
  const row = await tx.get<JobRow>(`SELECT * FROM jobs WHERE id = ?`, jobId);
  const last = row === undefined ? undefined : stagesOf(row).at(-1);
  if (row === undefined || last === undefined || last.first === 0) return;
  if (mapReduceOf(row)?.keep === true) return;
  await tx.run(
    `UPDATE attempts SET entries = NULL, root = NULL WHERE job_id = ? AND task < ?`,
    jobId,
    last.first,
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
