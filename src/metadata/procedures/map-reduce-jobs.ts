import { CodedError } from "../../base/errors.ts";
import { quote } from "../../base/quote.ts";
import { MiB } from "../../base/size.ts";
import type { JobInfo } from "../../model/job.ts";
import type { JobStage } from "../../model/stage-work.ts";
import type { Procedure, Row, Tx } from "../metadata-store.ts";
import { nextNumber } from "./counters.ts";
import { createJob } from "./create-job.ts";
import { deleteJob } from "./job-verbs.ts";
import { infoOf, stagesOf, type JobRow } from "./job-rows.ts";
import { findAnswer, keepAnswer } from "./requests.ts";
import type { NewJob } from "./trigger.ts";

/** A MapReduceJob as it is kept. */
export interface MapReduceJobRecord {
  readonly name: string;
  /** 32 hex characters. */
  readonly uid: string;
  /** As it was given, in JSON. */
  readonly document: string;
  readonly createdMicros: number;
  /** Why there never was a job; empty when there was. */
  readonly error: string;
  /** Undefined when there is none, or none any more. */
  readonly job: JobInfo | undefined;
  /** Of its job, those begun so far. */
  readonly stages: readonly JobStage[];
}

interface RecordRow extends Row {
  readonly name: string;
  readonly uid: string;
  readonly document: string;
  readonly job_id: string;
  readonly error: string;
  readonly created_micros: number;
}

/** Records in one list, and what their documents may have together unless there is only one: a list is in memory. */
const listedMax = 1_000;
const listedBytesMax = 32 * MiB;

/**
 * Records a document and makes its job, or says why there is none.
 *
 * @throws CodedError `already_exists`; of a job what createJob() throws
 */
export const createMapReduceJob: Procedure<
  { name: string; uid: string; document: string; key?: string } & (
    | { job: NewJob; outputRepo: string }
    | { error: string }
  ),
  MapReduceJobRecord
> = async (tx, { key, ...input }) => {
  const answered = await findAnswer<{ name: string }>(tx, key);
  if (answered !== undefined) return await requireRecord(tx, answered.name);
  const { name, uid, document } = input;
  const known = await tx.get(`SELECT name FROM mapreduce_jobs WHERE name = ?`, name);
  if (known !== undefined)
    throw new CodedError(
      "already_exists",
      `MapReduceJob ${name} already exists. Delete it first, or choose another name`,
      { details: { name } },
    );
  if ("job" in input) {
    const { job, outputRepo: newRepo } = input;
    await createJob(tx, { job, pipeline: "", version: 0, newRepo });
  }
  await tx.run(
    `INSERT INTO mapreduce_jobs (name, number, uid, document, job_id, error, created_micros) VALUES (?, ?, ?, ?, ?, ?, ?)`,
    name,
    await nextNumber(tx, "mapreduce_jobs"),
    uid,
    document,
    "job" in input ? input.job.id : "",
    "error" in input ? input.error : "",
    tx.nowMicros,
  );
  await keepAnswer(tx, key, { name });
  return await requireRecord(tx, name);
};

/** @throws CodedError `not_found` */
export const findMapReduceJob: Procedure<{ name: string }, MapReduceJobRecord> = async (
  tx,
  { name },
) => await requireRecord(tx, name);

/** The newest thousand, newest first; fewer when their documents have more than 32 MiB together. */
export const listMapReduceJobs: Procedure<Record<never, never>, MapReduceJobRecord[]> = async (
  tx,
) => {
  const sizes = await tx.all<{ bytes: number }>(
    `SELECT LENGTH(document) AS bytes FROM mapreduce_jobs ORDER BY number DESC LIMIT ?`,
    listedMax,
  );
  let left = listedBytesMax;
  const end = sizes.findIndex(({ bytes }) => (left -= bytes) < 0);
  const records: MapReduceJobRecord[] = [];
  for (const row of await tx.all<RecordRow>(
    `SELECT * FROM mapreduce_jobs ORDER BY number DESC LIMIT ?`,
    end < 0 ? listedMax : Math.max(1, end),
  ))
    records.push(await recordOf(tx, row));
  return records;
};

/** Removes one with its job, which is ended first; what that wrote stays. @throws CodedError `not_found` */
export const deleteMapReduceJob: Procedure<
  { name: string; key?: string },
  { jobs: string[] }
> = async (tx, { name, key }) => {
  const answered = await findAnswer<{ jobs: string[] }>(tx, key);
  if (answered !== undefined) return answered;
  const { job } = await requireRecord(tx, name);
  if (job !== undefined) await deleteJob(tx, { id: job.id });
  await tx.run(`DELETE FROM mapreduce_jobs WHERE name = ?`, name);
  const answer = { jobs: job === undefined ? [] : [job.id] };
  await keepAnswer(tx, key, answer);
  return answer;
};

/** Removes all of them; their jobs are the caller's. */
export const forgetMapReduceJobs: Procedure<Record<never, never>, void> = async (tx) => {
  await tx.run(`DELETE FROM mapreduce_jobs WHERE number >= 0`);
};

async function requireRecord(tx: Tx, name: string): Promise<MapReduceJobRecord> {
  const row = await tx.get<RecordRow>(`SELECT * FROM mapreduce_jobs WHERE name = ?`, name);
  if (row !== undefined) return await recordOf(tx, row);
  throw new CodedError(
    "not_found",
    `MapReduceJob ${quote(name)} not found: "pachctl list-mapreduce" shows what there is`,
    { details: { name } },
  );
}

async function recordOf(tx: Tx, row: RecordRow): Promise<MapReduceJobRecord> {
  const job =
    row.job_id === ""
      ? undefined
      : await tx.get<JobRow>(`SELECT * FROM jobs WHERE id = ?`, row.job_id);
  return {
    name: row.name,
    uid: row.uid,
    document: row.document,
    createdMicros: row.created_micros,
    error: row.error,
    job: job === undefined ? undefined : await infoOf(tx, job),
    stages: job === undefined ? [] : stagesOf(job),
  };
}
