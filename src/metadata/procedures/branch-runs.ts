import { CodedError } from "../../base/errors.ts";
import { quote } from "../../base/quote.ts";
import type { JobInfo } from "../../model/job.ts";
import type { Procedure, Row, Tx } from "../metadata-store.ts";
import { nextNumber } from "./counters.ts";
import { infoOf, type JobRow } from "./job-rows.ts";

/** A job of a run, before it is one. */
export interface NewRunJob {
  readonly name: string;
  /** How it was described, in normal form. */
  readonly descriptor: string;
  readonly outputRepo: string;
}

/** A job of a run. */
export interface RunJob extends NewRunJob {
  /** Undefined until it is made. */
  readonly jobId: string | undefined;
  /** Why it was not made. */
  readonly error: string | undefined;
  /** What became of it; undefined when it is not made, or deleted. */
  readonly info: JobInfo | undefined;
  /** Its output, once there is one, by uid. */
  readonly outputUid: string | undefined;
}

/** The jobs of a branch, run at one commit, in an order in which each comes after what it reads. */
export interface RunDetail {
  readonly id: string;
  readonly number: number;
  readonly repo: string;
  readonly branch: string;
  readonly commitUid: string;
  readonly commitId: string;
  /** Its jobs go on from nothing. */
  readonly isFresh: boolean;
  readonly startedMicros: number;
  /** When all its jobs had ended. */
  readonly finishedMicros: number | undefined;
  readonly jobs: readonly RunJob[];
}

interface RunRow extends Row {
  readonly id: string;
  readonly number: number;
  readonly repo: string;
  readonly branch: string;
  readonly commit_uid: string;
  readonly commit_id: string;
  readonly fresh: number;
  readonly started_micros: number;
  readonly finished_micros: number | null;
}

interface RunJobRow extends Row {
  readonly name: string;
  readonly descriptor: string;
  readonly output_repo: string;
  readonly job_id: string | null;
  readonly error: string;
}

/** Records a run; it has ended when it has no jobs. */
export const createRun: Procedure<
  {
    id: string;
    repo: string;
    branch: string;
    commitUid: string;
    commitId: string;
    isFresh: boolean;
    jobs: readonly NewRunJob[];
  },
  void
> = async (tx, { id, repo, branch, commitUid, commitId, isFresh, jobs }) => {
  const number = await nextNumber(tx, "runs");
  await tx.run(
    `INSERT INTO runs (id, number, repo, branch, commit_uid, commit_id, fresh, started_micros, finished_micros) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    id,
    number,
    repo,
    branch,
    commitUid,
    commitId,
    isFresh ? 1 : 0,
    tx.nowMicros,
    jobs.length === 0 ? tx.nowMicros : null,
  );
  for (const [position, job] of jobs.entries())
    await tx.run(
      `INSERT INTO run_jobs (run_id, position, number, name, descriptor, output_repo, job_id, error) VALUES (?, ?, ?, ?, ?, ?, NULL, '')`,
      id,
      position,
      number,
      job.name,
      job.descriptor,
      job.outputRepo,
    );
};

/** The run of this id, or of the one id that begins so. */
export const findRun: Procedure<{ id: string }, RunDetail> = async (tx, { id }) => {
  const rows = await tx.all<RunRow>(
    `SELECT * FROM runs WHERE id >= ? AND id < ? ORDER BY id LIMIT 2`,
    id,
    `${id}~`,
  );
  const exact = rows.find((row) => row.id === id) ?? rows[0];
  if (exact !== undefined && (exact.id === id || rows.length === 1))
    return await detailOf(tx, exact);
  throw new CodedError(
    rows.length === 0 ? "not_found" : "invalid_argument",
    rows.length === 0
      ? `run ${quote(id)} not found: GET /run lists what there is`
      : `run ${quote(id)} is ambiguous: it may be ${rows.map((row) => row.id).join(", ")}. Type more characters`,
  );
};

/** Runs that have not ended, oldest first. */
export const goingRuns: Procedure<Record<never, never>, RunDetail[]> = async (tx) =>
  await detailsOf(
    tx,
    await tx.all<RunRow>(`SELECT * FROM runs WHERE finished_micros IS NULL ORDER BY number`),
  );

/** The newest runs of a repo, newest first. */
export const lastRuns: Procedure<{ repo: string; limit: number }, RunDetail[]> = async (
  tx,
  { repo, limit },
) =>
  await detailsOf(
    tx,
    await tx.all<RunRow>(
      `SELECT * FROM runs WHERE repo = ? ORDER BY number DESC LIMIT ?`,
      repo,
      limit,
    ),
  );

/** The newest run of a commit. */
export const runOfCommit: Procedure<{ uid: string }, RunDetail | undefined> = async (
  tx,
  { uid },
) => {
  const row = await tx.get<RunRow>(
    `SELECT * FROM runs WHERE commit_uid = ? ORDER BY number DESC LIMIT 1`,
    uid,
  );
  return row === undefined ? undefined : await detailOf(tx, row);
};

/** The newest job that was made of the same descriptor for the same output, by a run before. */
export const runJobBefore: Procedure<
  { outputRepo: string; descriptor: string; before: number },
  { jobId?: string }
> = async (tx, { outputRepo, descriptor, before }) => {
  const row = await tx.get<{ job_id: string }>(
    `SELECT job_id FROM run_jobs WHERE output_repo = ? AND number < ? AND descriptor = ? AND job_id IS NOT NULL ORDER BY number DESC LIMIT 1`,
    outputRepo,
    before,
    descriptor,
  );
  return row === undefined ? {} : { jobId: row.job_id };
};

/** Says which job a job of a run has become, or why it will be none. */
export const noteRunJob: Procedure<
  { runId: string; name: string; jobId?: string; error?: string },
  void
> = async (tx, { runId, name, jobId, error = "" }) => {
  await tx.run(
    `UPDATE run_jobs SET job_id = ?, error = ? WHERE run_id = ? AND name = ? AND job_id IS NULL AND error = ''`,
    jobId ?? null,
    error,
    runId,
    name,
  );
};

/** All jobs of a run have ended. */
export const endRun: Procedure<{ id: string }, void> = async (tx, { id }) => {
  await tx.run(
    `UPDATE runs SET finished_micros = ? WHERE id = ? AND finished_micros IS NULL`,
    tx.nowMicros,
    id,
  );
};

async function detailsOf(tx: Tx, rows: readonly RunRow[]): Promise<RunDetail[]> {
  const details: RunDetail[] = [];
  for (const row of rows) details.push(await detailOf(tx, row));
  return details;
}

async function detailOf(tx: Tx, row: RunRow): Promise<RunDetail> {
  const jobs: RunJob[] = [];
  for (const job of await tx.all<RunJobRow>(
    `SELECT name, descriptor, output_repo, job_id, error FROM run_jobs WHERE run_id = ? ORDER BY position`,
    row.id,
  ))
    jobs.push(await runJobOf(tx, job));
  return {
    id: row.id,
    number: row.number,
    repo: row.repo,
    branch: row.branch,
    commitUid: row.commit_uid,
    commitId: row.commit_id,
    isFresh: row.fresh === 1,
    startedMicros: row.started_micros,
    finishedMicros: row.finished_micros ?? undefined,
    jobs,
  };
}

async function runJobOf(tx: Tx, row: RunJobRow): Promise<RunJob> {
  const job =
    row.job_id === null
      ? undefined
      : await tx.get<JobRow>(`SELECT * FROM jobs WHERE id = ?`, row.job_id);
  return {
    name: row.name,
    descriptor: row.descriptor,
    outputRepo: row.output_repo,
    jobId: row.job_id ?? undefined,
    error: row.error === "" ? undefined : row.error,
    info: job === undefined ? undefined : await infoOf(tx, job),
    outputUid: job?.output_uid ?? undefined,
  };
}
