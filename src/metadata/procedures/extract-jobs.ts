import type { ExtractJob, ExtractRun } from "../../model/extract-record.ts";
import type { Procedure, Tx } from "../metadata-store.ts";
import { inputsOf, type JobRow } from "./job-rows.ts";
import { eachTogether } from "./together.ts";

interface OutputRow extends JobRow {
  output_finish: number | null;
  output_state: string | null;
}

/** A page of jobs, and after which pipeline and number the next one begins. */
export interface ExtractedJobs {
  readonly jobs: readonly ExtractJob[];
  readonly next: { readonly pipeline: string; readonly number: number } | null;
}

/**
 * Jobs that were there by then, without their tasks and logs. One whose output was not finished by then is told
 * as one that has not ended.
 */
export const extractJobs: Procedure<
  {
    after: { pipeline: string; number: number };
    until: { jobs: number; finishes: number };
    limit: number;
  },
  ExtractedJobs
> = async (tx, { after, until, limit }) => {
  const rows = await tx.all<OutputRow>(
    `SELECT j.*, o.finish_number AS output_finish, o.state AS output_state FROM jobs j LEFT JOIN commits o ON o.uid = j.output_uid
     WHERE (j.pipeline, j.number) > (?, ?) ORDER BY j.pipeline, j.number LIMIT ?`,
    after.pipeline,
    after.number,
    limit,
  );
  const last = rows.at(-1);
  const wanted = rows.filter(({ number }) => number <= until.jobs);
  return {
    jobs: await eachTogether(wanted, (row) => jobRecord(tx, row, until.finishes)),
    next:
      last === undefined || rows.length < limit
        ? null
        : { pipeline: last.pipeline, number: last.number },
  };
};

async function jobRecord(tx: Tx, row: OutputRow, finishes: number): Promise<ExtractJob> {
  const inputs = await inputsOf(tx, row.id);
  return {
    kind: "job",
    id: row.id,
    number: row.number,
    pipeline: row.pipeline,
    pipelineVersion: row.pipeline_version,
    transform: json(row.transform),
    parallelism: json(row.parallelism),
    limits: json(row.limits),
    cause: jsonUnlessEmpty(row.cause),
    parentId: row.parent_id,
    outputRepo: row.output_repo,
    ended: endedOf(row, finishes),
    startedMicros: row.started_micros,
    reuse: row.reuse,
    inputs: inputs.map((input) => ({
      repo: input.repo,
      commitUid: input.commit_uid,
      commitId: input.commit_id,
      method: json(input.method),
      runEmpty: input.run_empty === 1,
      each: input.each_entry === 1,
    })),
  };
}

function endedOf(row: OutputRow, finishes: number): ExtractJob["ended"] {
  const { state } = row;
  if (state === "creating" || state === "running") return null;
  const isOutputThere = row.output_state !== null && (row.output_finish ?? Infinity) <= finishes;
  if (row.output_state !== null && !isOutputThere) return null;
  return {
    state,
    error: row.error,
    outputUid: row.output_uid,
    finishedMicros: row.finished_micros,
    plan: jsonUnlessEmpty(row.plan),
    stages: jsonUnlessEmpty(row.stages),
    tasks: row.tasks_total,
    tasksSkipped: row.tasks_skipped,
    tasksFailed: row.tasks_failed,
    tasksMicros: row.tasks_micros,
    outputBytes: row.output_bytes,
    imageDigest: row.image_digest,
  };
}

/** What a column holds as JSON. */
function json<T>(text: string): T {
  return JSON.parse(text) as T;
}

/** The same; an empty one says nothing. */
function jsonUnlessEmpty<T>(text: string): T | null {
  return text === "" ? null : json<T>(text);
}

interface RunRow extends Record<string, string | number | Uint8Array | null> {
  id: string;
  number: number;
  repo: string;
  branch: string;
  commit_uid: string;
  commit_id: string;
  fresh: number;
  started_micros: number;
  finished_micros: number | null;
}

/** Runs of the curl API at commits of a repo. */
export const extractRuns: Procedure<
  { repo: string; after: number; until: number; limit: number },
  ExtractRun[]
> = async (tx, { repo, after, until, limit }) => {
  const rows = await tx.all<RunRow>(
    `SELECT * FROM runs WHERE repo = ? AND number > ? AND number <= ? ORDER BY number LIMIT ?`,
    repo,
    after,
    until,
    limit,
  );
  return await eachTogether(rows, (row) => runRecord(tx, row));
};

async function runRecord(tx: Tx, row: RunRow): Promise<ExtractRun> {
  const jobs = await tx.all<{
    name: string;
    descriptor: string;
    output_repo: string;
    job_id: string | null;
    error: string;
  }>(
    `SELECT name, descriptor, output_repo, job_id, error FROM run_jobs WHERE run_id = ? ORDER BY position`,
    row.id,
  );
  return {
    kind: "run",
    id: row.id,
    number: row.number,
    repo: row.repo,
    branch: row.branch,
    commitUid: row.commit_uid,
    commitId: row.commit_id,
    isFresh: row.fresh === 1,
    startedMicros: row.started_micros,
    finishedMicros: row.finished_micros,
    jobs: jobs.map((job) => ({
      name: job.name,
      descriptor: job.descriptor,
      outputRepo: job.output_repo,
      jobId: job.job_id,
      error: job.error,
    })),
  };
}
