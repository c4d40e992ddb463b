import { CodedError } from "../../base/errors.ts";
import { quote } from "../../base/quote.ts";
import { commitId } from "../../model/commit.ts";
import type { JobInfo, JobProgress, JobState } from "../../model/job.ts";
import { defaultLimits, type Limits } from "../../model/limits.ts";
import type { S3Place } from "../../model/s3-url.ts";
import type { Method } from "../../model/method.ts";
import type { ParallelismSpec, Transform } from "../../model/spec-schema.ts";
import type { JobStage } from "../../model/stage-work.ts";
import type { Tx } from "../metadata-store.ts";
import type { CommitRow } from "./commit-rows.ts";
import type { TaskRange } from "./reuse.ts";

/** A job as it is stored. */
export interface JobRow extends Record<string, string | number | Uint8Array | null> {
  id: string;
  number: number;
  pipeline: string;
  pipeline_version: number;
  transform: string;
  parallelism: string;
  plan: string;
  parent_id: string | null;
  output_repo: string;
  output_uid: string | null;
  state: JobState;
  error: string;
  started_micros: number;
  finished_micros: number | null;
  tasks_left: number;
  token: string;
  lease_micros: number;
  limits: string;
  /** A JobCause; empty for a job of a release that kept none. */
  cause: string;
  tasks_total: number;
  tasks_micros: number | null;
  output_bytes: number;
  /** Those begun so far, of a job in stages; empty for another. */
  stages: string;
  /** 0: runs all its tasks, and no other job takes their outputs; 1: takes and gives; 2: gives. */
  reuse: number;
  /** Digest of what its tasks have in common; empty for a job that does not reuse, or has not started. */
  reuse_key: string;
  /** The image its tasks ran in; empty for none. */
  image_digest: string;
  /** 1: no file of its output is of two tasks. */
  disjoint: number;
  tasks_skipped: number;
  tasks_failed: number;
}

/** An input of a job as it is stored. */
export interface InputRow extends Record<string, string | number | Uint8Array | null> {
  repo: string;
  commit_uid: string;
  commit_id: string;
  method: string;
  run_empty: number;
  each_entry: number;
  /** 1: shown through a mount. */
  lazy: number;
}

/** The job of this id, or of the one id that begins so. */
export async function requireJob(tx: Tx, id: string): Promise<JobRow> {
  const exact = await tx.get<JobRow>(`SELECT * FROM jobs WHERE id = ?`, id);
  if (exact !== undefined) return exact;
  const like =
    id === ""
      ? []
      : await tx.all<JobRow>(
          `SELECT * FROM jobs WHERE id > ? AND id < ? ORDER BY id LIMIT 2`,
          id,
          `${id}~`,
        );
  if (like.length === 1 && like[0] !== undefined) return like[0];
  const reason =
    like.length === 0
      ? `job ${quote(id)} not found: "pachctl list-job" shows what there is`
      : `job ${id} is ambiguous: it may be ${like.map((job) => job.id).join(", ")}. Type more characters`;
  if (like.length > 1) throw new CodedError("invalid_argument", reason, { details: { job: id } });
  const classic = `JobInfos ${id} not found`;
  throw new CodedError("not_found", reason, { details: { job: id, classic } });
}

/** The inputs of a job, in order. */
export async function inputsOf(tx: Tx, jobId: string): Promise<InputRow[]> {
  return await tx.all<InputRow>(
    `SELECT repo, commit_uid, commit_id, method, run_empty, each_entry, lazy FROM job_inputs WHERE job_id = ? ORDER BY position`,
    jobId,
  );
}

/** A job as everyone sees it, without its tasks. */
export async function infoOf(tx: Tx, row: JobRow): Promise<JobInfo> {
  const output =
    row.output_uid === null
      ? undefined
      : await tx.get<CommitRow>(`SELECT * FROM commits WHERE uid = ?`, row.output_uid);
  return {
    id: row.id,
    pipeline: row.pipeline,
    pipelineVersion: row.pipeline_version,
    transform: JSON.parse(row.transform) as Transform,
    inputs: (await inputsOf(tx, row.id)).map((input) => ({
      commit: { repo: input.repo, id: input.commit_id },
      method: JSON.parse(input.method) as Method,
      runEmpty: input.run_empty === 1,
      each: input.each_entry === 1,
      ...(input.lazy === 1 ? { lazy: true } : {}),
    })),
    startedMicros: row.started_micros,
    state: row.state,
    parallelismSpec: JSON.parse(row.parallelism) as ParallelismSpec,
    runner: "",
    limits: limitsOf(row),
    progress: progressOf(row),
    ...(row.parent_id === null ? {} : { parentJob: row.parent_id }),
    ...(row.finished_micros === null ? {} : { finishedMicros: row.finished_micros }),
    ...(output === undefined
      ? {}
      : { outputCommit: { repo: output.repo, id: commitId(output.branch, output.number) } }),
    ...(row.error === "" ? {} : { error: row.error }),
  };
}

function progressOf(row: JobRow): JobProgress {
  return {
    tasksDone: Math.max(0, row.tasks_total - row.tasks_left - row.tasks_failed - row.tasks_skipped),
    tasksSkipped: row.tasks_skipped,
    tasksFailed: row.tasks_failed,
    tasks: row.tasks_total,
    inputBytes: planOf(row)?.inputBytes ?? 0,
    outputBytes: row.output_bytes,
    ...(row.tasks_micros === null ? {} : { tasksMicros: row.tasks_micros }),
  };
}

/** How often its tasks are tried, and how long it may take. */
export function limitsOf(row: Pick<JobRow, "limits">): Limits {
  return { ...defaultLimits, ...(JSON.parse(row.limits) as Partial<Limits>) };
}

/** What made a job. */
export type JobCause =
  /** A finished commit, of which it is the consequence. */
  { readonly by: "commit"; readonly repo: string; readonly id: string } | { readonly by: "person" };

/** The stages begun so far; none of a job that has no stages. */
export function stagesOf(row: Pick<JobRow, "stages">): JobStage[] {
  return row.stages === "" ? [] : (JSON.parse(row.stages) as JobStage[]);
}

/** How a job was started; undefined before. */
export function planOf(row: Pick<JobRow, "plan">): JobPlan | undefined {
  return row.plan === "" ? undefined : (JSON.parse(row.plan) as JobPlan);
}

/** How a job was started: what its tasks are shares of, and what they continue. Never changes. */
export interface JobPlan {
  /** Shares of each input, in the order of the inputs; the product is the number of tasks. */
  readonly moduli: readonly number[];
  /** Per input: the commit after which it is looked at, or null for all of it. */
  readonly fromUids: readonly (string | null)[];
  /** What all tasks together are shown. Absent from jobs of earlier releases. */
  readonly inputBytes?: number;
  /** Of a job whose command is a server: files of each task. */
  readonly linesPerTask?: number;
  /** Where these are, of objects of S3. */
  readonly place?: S3Place;
  /** The output that its own is but for what some tasks of that job wrote, and some of its own write. */
  readonly exchange?: {
    readonly jobId: string;
    readonly outputUid: string;
    readonly gone: readonly TaskRange[];
  };
}
