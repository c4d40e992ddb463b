import { CodedError } from "../../base/errors.ts";
import type { PipelineInfo } from "../../model/job.ts";
import type { PipelineSpec } from "../../model/pipeline-spec.ts";
import type { Procedure, Tx } from "../metadata-store.ts";
import { archiveWithEffects } from "./archive.ts";
import { abortJob } from "./job-verbs.ts";
import { noteForJournal } from "./journal.ts";
import { emit } from "./outbox.ts";
import { insertInputs, inspectPipeline, requirePipeline } from "./pipelines.ts";
import { createRepo, requireRepo, upstreamsOf } from "./repos.ts";
import { findAnswer, keepAnswer } from "./requests.ts";

/**
 * Stops a pipeline, which then makes no jobs, or starts it, when it goes on with what finished meanwhile.
 * Does nothing when it is so already.
 */
export const setPipelineRunning: Procedure<
  { name: string; isRunning: boolean; key?: string },
  PipelineInfo
> = async (tx, { name, isRunning, key }) => {
  const answered = await findAnswer<PipelineInfo>(tx, key);
  if (answered !== undefined) return answered;
  const row = await requirePipeline(tx, name);
  if ((row.state === "stopped") === isRunning) {
    const inputs = await tx.get(`SELECT repo FROM pipeline_inputs WHERE pipeline = ?`, name);
    const running = inputs === undefined ? "idle" : "running";
    await tx.run(
      `UPDATE pipelines SET state = ?, recent_error = '' WHERE name = ?`,
      isRunning ? running : "stopped",
      name,
    );
    await noteForJournal(tx, "pipeline", name);
    await emit(tx, "pipeline_created", name);
  }
  const info = await inspectPipeline(tx, { name });
  await keepAnswer(tx, key, info);
  return info;
};

/** Says of a pipeline what keeps it from making jobs; an empty text: nothing any more. */
export const notePipelineError: Procedure<{ name: string; error: string }, void> = async (
  tx,
  { name, error },
) => {
  await tx.run(
    `UPDATE pipelines SET state = ?, recent_error = ? WHERE name = ? AND state = ?`,
    error === "" ? "running" : "restarting",
    error,
    name,
    error === "" ? "restarting" : "running",
  );
};

/**
 * Gives a pipeline another spec, as its next version. With `archive`, jobs of the old one are ended, what it
 * made is archived with all that was made from that, and its inputs are processed from the start. Without,
 * it goes on from here, continuing its output. With `reprocess` none of its tasks takes the output of one that
 * an earlier version ran.
 *
 * @returns the pipeline, and the jobs that were ended
 */
export const updatePipeline: Procedure<
  { spec: PipelineSpec; archive: boolean; reprocess?: boolean; key?: string },
  { info: PipelineInfo; jobs: string[] }
> = async (tx, { spec, archive, reprocess = false, key }) => {
  const { name } = spec;
  const answered = await findAnswer<{ info: PipelineInfo; jobs: string[] }>(tx, key);
  if (answered !== undefined) return answered;
  const row = await requirePipeline(tx, name);
  for (const { repo } of spec.inputs) {
    await requireRepo(tx, repo);
    await refuseCycle(tx, name, repo);
  }
  const jobs = archive ? await endJobs(tx, name) : [];
  if (archive) await archiveOutput(tx, name);
  await tx.run(
    `UPDATE pipelines SET spec = ?, version = version + 1, state = ?, recent_error = '', cursor_number = ?, line_version = ?, reprocess_version = CASE WHEN ? = 1 THEN version + 1 ELSE reprocess_version END WHERE name = ?`,
    JSON.stringify(spec),
    row.state === "stopped" ? "stopped" : spec.inputs.length === 0 ? "idle" : "running",
    archive ? 0 : row.cursor_number,
    archive ? row.version + 1 : row.line_version,
    reprocess ? 1 : 0,
    name,
  );
  await tx.run(`DELETE FROM pipeline_inputs WHERE pipeline = ?`, name);
  await insertInputs(tx, spec);
  await linkOutput(tx, spec);
  await noteForJournal(tx, "pipeline", name);
  await emit(tx, "pipeline_created", name);
  const answer = { info: await inspectPipeline(tx, { name }), jobs };
  await keepAnswer(tx, key, answer);
  return answer;
};

async function refuseCycle(tx: Tx, name: string, input: string): Promise<void> {
  if (input !== name && !(await upstreamsOf(tx, input)).includes(name)) return;
  throw new CodedError(
    "failed_precondition",
    `Cannot update pipeline ${name}: its input ${input} is made from what it writes. Take another input`,
    { details: { pipeline: name, repo: input } },
  );
}

async function endJobs(tx: Tx, pipeline: string): Promise<string[]> {
  const going = await tx.all<{ id: string; output_uid: string | null }>(
    `SELECT id, output_uid FROM jobs WHERE pipeline = ? AND state IN ('creating', 'running')`,
    pipeline,
  );
  for (const job of going) await abortJob(tx, job, "stopped: its pipeline was updated");
  return going.map(({ id }) => id);
}

async function archiveOutput(tx: Tx, repo: string): Promise<void> {
  const commits = await tx.all<{ uid: string }>(
    `SELECT uid FROM commits WHERE repo = ? AND archived = 0`,
    repo,
  );
  for (const { uid } of commits) await archiveWithEffects(tx, uid);
}

/** The provenance of the output repo are the inputs, whatever they were. */
async function linkOutput(tx: Tx, { name, inputs }: PipelineSpec): Promise<void> {
  const provenance = inputs.map(({ repo }) => repo);
  if ((await tx.get(`SELECT name FROM repos WHERE name = ?`, name)) === undefined) {
    await createRepo(tx, { name, provenance });
    return;
  }
  await tx.run(`DELETE FROM repo_upstreams WHERE repo = ?`, name);
  for (const upstream of provenance)
    await tx.run(`INSERT INTO repo_upstreams (repo, upstream) VALUES (?, ?)`, name, upstream);
  await noteForJournal(tx, "repo", name);
}
