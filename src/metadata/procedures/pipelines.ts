import { discardAttempts } from "./garbage.ts";
import { CodedError } from "../../base/errors.ts";
import type { JobState, PipelineInfo, PipelineState } from "../../model/job.ts";
import { storedPipelineSpec, type PipelineSpec } from "../../model/pipeline-spec.ts";
import { quote } from "../../base/quote.ts";
import type { Procedure, Tx } from "../metadata-store.ts";
import { abortJob } from "./job-verbs.ts";
import { noteForJournal } from "./journal.ts";
import { emit } from "./outbox.ts";
import { findAnswer, keepAnswer } from "./requests.ts";
import { createRepo, requireRepo } from "./repos.ts";

/** A pipeline as it is stored. */
export interface PipelineRow extends Record<string, string | number | Uint8Array | null> {
  name: string;
  version: number;
  spec: string;
  created_micros: number;
  state: PipelineState;
  recent_error: string;
  cursor_number: number;
  line_version: number;
}

/** A pipeline as pps works with it. */
export interface PipelineDetail {
  readonly spec: PipelineSpec;
  readonly version: number;
  readonly state: PipelineState;
  /** All commits of its inputs with a finish number up to this have been looked at. */
  readonly cursor: number;
}

/** Makes a pipeline and the repo it writes to, whose provenance are its inputs. */
export const createPipeline: Procedure<{ spec: PipelineSpec; key?: string }, PipelineInfo> = async (
  tx,
  { spec, key },
) => {
  const answered = await findAnswer<PipelineInfo>(tx, key);
  if (answered !== undefined) return answered;
  for (const input of spec.inputs) await requireRepo(tx, input.repo);
  if ((await findRow(tx, spec.name)) !== undefined) {
    throw new CodedError(
      "already_exists",
      `pipeline ${spec.name} already exists: change it with "pachctl update-pipeline", or choose another name`,
      { details: { pipeline: spec.name, classic: `pipeline ${spec.name} already exists` } },
    );
  }
  await createOutputRepo(tx, spec);
  await tx.run(
    `INSERT INTO pipelines (name, version, spec, created_micros, state, recent_error, cursor_number) VALUES (?, 0, ?, ?, ?, '', 0)`,
    spec.name,
    JSON.stringify(spec),
    tx.nowMicros,
    spec.inputs.length === 0 ? "idle" : "running",
  );
  await insertInputs(tx, spec);
  await noteForJournal(tx, "pipeline", spec.name);
  await emit(tx, "pipeline_created", spec.name);
  const info = await inspectPipeline(tx, { name: spec.name });
  await keepAnswer(tx, key, info);
  return info;
};

/** Has the pipeline hear of its inputs. */
export async function insertInputs(tx: Tx, spec: PipelineSpec): Promise<void> {
  for (const input of spec.inputs)
    await tx.run(
      `INSERT INTO pipeline_inputs (pipeline, repo) VALUES (?, ?)`,
      spec.name,
      input.repo,
    );
}

async function createOutputRepo(tx: Tx, spec: PipelineSpec): Promise<void> {
  const taken = await tx.get(`SELECT name FROM repos WHERE name = ?`, spec.name);
  if (taken !== undefined) {
    throw new CodedError(
      "already_exists",
      `repo ${spec.name} exists: a pipeline writes to a repo of its own name. Remove it with "pachctl delete-repo ${spec.name}", or choose another name`,
      { details: { repo: spec.name, classic: `repo ${spec.name} exists` } },
    );
  }
  await createRepo(tx, { name: spec.name, provenance: spec.inputs.map((input) => input.repo) });
}

async function findRow(tx: Tx, name: string): Promise<PipelineRow | undefined> {
  return await tx.get<PipelineRow>(`SELECT * FROM pipelines WHERE name = ?`, name);
}

/** @throws CodedError `not_found` in the original's words */
export async function requirePipeline(tx: Tx, name: string): Promise<PipelineRow> {
  const row = await findRow(tx, name);
  if (row === undefined)
    throw new CodedError(
      "not_found",
      `pipeline ${quote(name)} not found: "pachctl list-pipeline" shows what there is`,
      { details: { pipeline: name, classic: `PipelineInfos ${name} not found` } },
    );
  return row;
}

/** One pipeline with its jobs counted by state. */
export const inspectPipeline: Procedure<{ name: string }, PipelineInfo> = async (tx, { name }) => {
  const row = await requirePipeline(tx, name);
  const counts: Partial<Record<JobState, number>> = {};
  for (const { state, count } of await tx.all<{ state: JobState; count: number }>(
    `SELECT state, COUNT(*) AS count FROM jobs WHERE pipeline = ? GROUP BY state`,
    name,
  )) {
    counts[state] = count;
  }
  return { ...infoOf(row), jobCounts: counts };
};

/** All pipelines by name. */
export const listPipelines: Procedure<Record<string, never>, PipelineInfo[]> = async (tx) =>
  (await tx.all<PipelineRow>(`SELECT * FROM pipelines ORDER BY name`)).map(infoOf);

function infoOf(row: PipelineRow): PipelineInfo {
  const spec = storedPipelineSpec(row.spec);
  return {
    name: row.name,
    version: row.version,
    transform: spec.transform,
    inputs: spec.inputs,
    outputRepo: row.name,
    createdMicros: row.created_micros,
    state: row.state,
    parallelismSpec: spec.parallelismSpec,
    limits: spec.limits,
    ...(spec.reuse === undefined ? {} : { reuse: spec.reuse }),
    runner: "",
    ...(row.recent_error === "" ? {} : { recentError: row.recent_error }),
  };
}

/** The spec and the cursor of a pipeline; undefined once it is deleted. */
export const pipelineDetail: Procedure<{ name: string }, PipelineDetail | undefined> = async (
  tx,
  { name },
) => {
  const row = await findRow(tx, name);
  if (row === undefined) return undefined;
  return {
    spec: storedPipelineSpec(row.spec),
    version: row.version,
    state: row.state,
    cursor: row.cursor_number,
  };
};

/** Pipelines that read a repo. */
export const pipelinesOfRepo: Procedure<{ repo: string }, string[]> = async (tx, { repo }) =>
  (
    await tx.all<{ pipeline: string }>(
      `SELECT pipeline FROM pipeline_inputs WHERE repo = ? ORDER BY pipeline`,
      repo,
    )
  ).map((row) => row.pipeline);

/**
 * Removes a pipeline with its jobs, tasks and logs. Unfinished output commits are cancelled; the
 * output repo stays. Gives back the jobs that were still going.
 */
export const deletePipeline: Procedure<{ name: string; key?: string }, { jobs: string[] }> = async (
  tx,
  { name, key },
) => {
  const answered = await findAnswer<{ jobs: string[] }>(tx, key);
  if (answered !== undefined) return answered;
  await requirePipeline(tx, name);
  const going = await tx.all<{ id: string; output_uid: string | null }>(
    `SELECT id, output_uid FROM jobs WHERE pipeline = ? AND state IN ('creating', 'running')`,
    name,
  );
  for (const job of going) await abortJob(tx, job, "its pipeline was deleted");
  const jobs = `SELECT id FROM jobs WHERE pipeline = ?`;
  await tx.run(`DELETE FROM log_pieces WHERE job_id IN (${jobs})`, name);
  await discardAttempts(tx, name);
  await tx.run(`DELETE FROM attempts WHERE job_id IN (${jobs})`, name);
  await tx.run(`DELETE FROM tasks WHERE job_id IN (${jobs})`, name);
  // Jobs share entries and outputs with those of their own pipeline alone.
  await tx.run(
    `DELETE FROM job_entries WHERE job_id IN (SELECT owner FROM entry_spans WHERE job_id IN (${jobs}))`,
    name,
  );
  await tx.run(`DELETE FROM entry_spans WHERE job_id IN (${jobs})`, name);
  await tx.run(`DELETE FROM job_entries WHERE job_id IN (${jobs})`, name);
  await tx.run(`DELETE FROM reused_tasks WHERE job_id IN (${jobs})`, name);
  await tx.run(`DELETE FROM task_keys WHERE job_id IN (${jobs})`, name);
  await tx.run(`DELETE FROM job_inputs WHERE job_id IN (${jobs})`, name);
  await tx.run(`DELETE FROM jobs WHERE pipeline = ?`, name);
  await tx.run(`DELETE FROM pipeline_inputs WHERE pipeline = ?`, name);
  await tx.run(`DELETE FROM pipelines WHERE name = ?`, name);
  await noteForJournal(tx, "pipeline", name);
  const answer = { jobs: going.map((job) => job.id) };
  await keepAnswer(tx, key, answer);
  return answer;
};
