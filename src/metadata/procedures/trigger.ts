import { CodedError } from "../../base/errors.ts";
import type { Limits } from "../../model/limits.ts";
import type { Method } from "../../model/method.ts";
import type { ParallelismSpec, Transform } from "../../model/spec-schema.ts";
import type { Procedure, Tx } from "../metadata-store.ts";
import type { CommitRow } from "./commit-rows.ts";
import { nextNumber } from "./counters.ts";
import { inputsOf, type JobCause } from "./job-rows.ts";
import { offered, parentOf, sourced, type SourcedCommit } from "./sourced-commits.ts";
import { emit } from "./outbox.ts";

/** A finished commit on an input of a pipeline, and what the other inputs offered when it finished. */
export interface TriggerCommit {
  readonly finishNumber: number;
  readonly commit: SourcedCommit;
  readonly parent: SourcedCommit | undefined;
  /** Per other input repo: commits finished before, made from the same sources, not yet continued. */
  readonly others: Readonly<Record<string, readonly SourcedCommit[]>>;
  /** Parents of all `others`, by uid of the child. */
  readonly parents: Readonly<Record<string, SourcedCommit>>;
}

/** The next finished commits on the inputs of a pipeline, after its cursor, in the order they finished. */
export const nextTriggers: Procedure<
  { pipeline: string; repos: string[]; cursor: number; limit: number },
  TriggerCommit[]
> = async (tx, { repos, cursor, limit }) => {
  const rows: CommitRow[] = [];
  for (const repo of repos)
    rows.push(
      ...(await tx.all<CommitRow>(
        `SELECT * FROM commits WHERE repo = ? AND finish_number > ? AND state = 'finished' AND archived = 0 ORDER BY finish_number LIMIT ?`,
        repo,
        cursor,
        limit,
      )),
    );
  rows.sort((a, b) => a.finish_number! - b.finish_number!);
  return await triggersOf(tx, rows.slice(0, limit), repos);
};

/** The finished commits on inputs of a pipeline, newest first, before a finish number. */
export const lastTriggers: Procedure<
  { repos: string[]; before: number; limit: number },
  TriggerCommit[]
> = async (tx, { repos, before, limit }) => {
  const rows: CommitRow[] = [];
  for (const repo of repos)
    rows.push(
      ...(await tx.all<CommitRow>(
        `SELECT * FROM commits WHERE repo = ? AND finish_number < ? AND state = 'finished' AND archived = 0 ORDER BY finish_number DESC LIMIT ?`,
        repo,
        before,
        limit,
      )),
    );
  rows.sort((a, b) => b.finish_number! - a.finish_number!);
  return await triggersOf(tx, rows.slice(0, limit), repos);
};

async function triggersOf(
  tx: Tx,
  rows: readonly CommitRow[],
  repos: readonly string[],
): Promise<TriggerCommit[]> {
  const triggers: TriggerCommit[] = [];
  for (const row of rows) triggers.push(await triggerOf(tx, row, repos));
  return triggers;
}

async function triggerOf(tx: Tx, row: CommitRow, repos: readonly string[]): Promise<TriggerCommit> {
  const commit = await sourced(tx, row);
  const others: Record<string, SourcedCommit[]> = {};
  const parents: Record<string, SourcedCommit> = {};
  for (const repo of repos) {
    if (repo === row.repo) continue;
    others[repo] = await offered(tx, commit, repo, row.finish_number!);
    for (const other of others[repo]) {
      const parent = await parentOf(tx, other);
      if (parent !== undefined) parents[other.uid] = parent;
    }
  }
  return {
    finishNumber: row.finish_number!,
    commit,
    parent: await parentOf(tx, commit),
    others,
    parents,
  };
}

/** A job about to be recorded; the id is a function of pipeline, transform and inputs. */
export interface NewJob {
  readonly id: string;
  readonly parentId: string | undefined;
  /** Its input commits (uid), by which it is found when an earlier version of the pipeline made it. */
  readonly parentInputs?: readonly string[];
  readonly cause: JobCause;
  readonly limits: Limits;
  readonly transform: Transform;
  readonly parallelism: ParallelismSpec;
  /** Whether its tasks may take outputs of earlier ones, and later ones theirs. */
  readonly reuse: "no" | "takes" | "gives";
  readonly inputs: readonly {
    readonly repo: string;
    readonly uid: string;
    readonly commitId: string;
    readonly method: Method;
    readonly runEmpty: boolean;
    readonly each: boolean;
    readonly lazy?: boolean;
  }[];
}

/**
 * Records the jobs that commits caused and moves the pipeline's cursor past them, in one step.
 *
 * @throws CodedError `aborted` when the pipeline changed or another daemon moved the cursor
 */
export const createJobs: Procedure<
  { pipeline: string; version: number; cursor: number; newCursor: number; jobs: NewJob[] },
  void
> = async (tx, input) => {
  const moved = await tx.run(
    `UPDATE pipelines SET cursor_number = ? WHERE name = ? AND version = ? AND cursor_number = ? AND state <> 'stopped'`,
    input.newCursor,
    input.pipeline,
    input.version,
    input.cursor,
  );
  if (moved === 0)
    throw new CodedError("aborted", `Pipeline ${input.pipeline} changed meanwhile: look again`);
  for (const job of input.jobs)
    await insertJob(tx, job, { pipeline: input.pipeline, version: input.version });
};

/** Records a job; one of this id that is there already is kept. `repo` is where it writes; default: the pipeline's. */
export async function insertJob(
  tx: Tx,
  job: NewJob,
  { pipeline, version, repo }: { pipeline: string; version: number; repo?: string },
): Promise<void> {
  if ((await tx.get(`SELECT id FROM jobs WHERE id = ?`, job.id)) !== undefined) return;
  await tx.run(
    `INSERT INTO jobs (id, number, pipeline, pipeline_version, transform, parallelism, limits, cause, parent_id, output_repo, reuse, state, error, started_micros, tasks_left, plan, token, lease_micros, stages)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'creating', '', ?, 0, '', '', 0, ?)`,
    job.id,
    await nextNumber(tx, "jobs"),
    pipeline,
    version,
    JSON.stringify(job.transform),
    JSON.stringify(job.parallelism),
    JSON.stringify(job.limits),
    JSON.stringify(job.cause),
    await parentOfJob(tx, job, pipeline),
    repo ?? pipeline,
    ["no", "takes", "gives"].indexOf(job.reuse),
    tx.nowMicros,
    job.transform.mapReduce === undefined ? "" : "[]",
  );
  let position = 0;
  for (const input of job.inputs) {
    await tx.run(
      `INSERT INTO job_inputs (job_id, position, repo, commit_uid, commit_id, method, run_empty, each_entry, lazy) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      job.id,
      position++,
      input.repo,
      input.uid,
      input.commitId,
      JSON.stringify(input.method),
      input.runEmpty ? 1 : 0,
      input.each ? 1 : 0,
      input.lazy === true ? 1 : 0,
    );
  }
  await emit(tx, "job_created", job.id);
}

/** The job that a new one continues: of this version, or of one before that no archive came after. */
async function parentOfJob(tx: Tx, job: NewJob, pipeline: string): Promise<string | null> {
  if (job.parentId === undefined) return null;
  const exact = await tx.get<{ id: string }>(`SELECT id FROM jobs WHERE id = ?`, job.parentId);
  if (exact !== undefined) return exact.id;
  const { parentInputs = [] } = job;
  const candidates = await tx.all<{ id: string }>(
    `SELECT j.id FROM job_inputs i JOIN jobs j ON j.id = i.job_id JOIN pipelines p ON p.name = j.pipeline
     WHERE i.commit_uid = ? AND j.pipeline = ? AND j.pipeline_version >= p.line_version AND j.cause NOT LIKE '%"person"%' ORDER BY j.number DESC`,
    parentInputs[0] ?? "",
    pipeline,
  );
  for (const { id } of candidates) {
    const uids = (await inputsOf(tx, id)).map((input) => input.commit_uid);
    if (uids.length === parentInputs.length && uids.every((uid, i) => uid === parentInputs[i]))
      return id;
  }
  return null;
}
