import type { ExtractJob, ExtractRun } from "../../model/extract-record.ts";
import type { Tx } from "../metadata-store.ts";
import { emit } from "./outbox.ts";
import type { Bases } from "./restore.ts";
import { eachTogether } from "./together.ts";

/**
 * Records a job: one that had ended as history, one that had not to begin anew. One that is known here, or whose
 * inputs are not, is left out.
 *
 * @returns whether it was recorded
 */
export async function restoreJob(tx: Tx, job: ExtractJob, bases: Bases): Promise<boolean> {
  if (!(await hasInputs(tx, job))) return false;
  const { ended } = job;
  // What it would take to run just the tasks that have failed is not there.
  const isFailed = ended?.state === "failure";
  const added = await tx.run(
    `INSERT INTO jobs (id, number, pipeline, pipeline_version, transform, parallelism, limits, cause, parent_id, output_repo, output_uid,
       state, error, started_micros, finished_micros, tasks_left, tasks_total, tasks_skipped, tasks_failed, tasks_micros, output_bytes,
       plan, stages, reuse, image_digest, token, lease_micros)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', 0) ON CONFLICT (id) DO NOTHING`,
    job.id,
    bases.jobs + job.number,
    job.pipeline,
    job.pipelineVersion,
    JSON.stringify(job.transform),
    JSON.stringify(job.parallelism),
    JSON.stringify(job.limits),
    textOf(job.cause),
    job.parentId,
    job.outputRepo,
    ended?.outputUid ?? null,
    ended?.state ?? "creating",
    ended?.error ?? "",
    job.startedMicros,
    ended?.finishedMicros ?? null,
    ended?.tasks ?? 0,
    ended?.tasksSkipped ?? 0,
    ended?.tasksFailed ?? 0,
    ended?.tasksMicros ?? null,
    ended?.outputBytes ?? 0,
    isFailed ? "" : textOf(ended?.plan ?? null),
    ended === null && isStaged(job) ? "[]" : textOf(ended?.stages ?? null),
    job.reuse,
    ended?.imageDigest ?? "",
  );
  if (added === 0) return false;
  await eachTogether([...job.inputs.entries()], ([position, input]) =>
    tx.run(
      `INSERT INTO job_inputs (job_id, position, repo, commit_uid, commit_id, method, run_empty, each_entry) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      job.id,
      position,
      input.repo,
      input.commitUid,
      input.commitId,
      JSON.stringify(input.method),
      input.runEmpty ? 1 : 0,
      input.each ? 1 : 0,
    ),
  );
  if (ended === null) await emit(tx, "job_created", job.id);
  return true;
}

function isStaged({ transform }: ExtractJob): boolean {
  return typeof transform === "object" && transform !== null && "mapReduce" in transform;
}

async function hasInputs(tx: Tx, { inputs }: ExtractJob): Promise<boolean> {
  const found = await eachTogether(inputs, ({ commitUid }) =>
    tx.get(`SELECT uid FROM commits WHERE uid = ?`, commitUid),
  );
  return found.every((commit) => commit !== undefined);
}

/** Records a run of the curl API, unless its commit is not there. */
export async function restoreRun(tx: Tx, run: ExtractRun, bases: Bases): Promise<void> {
  const commit = await tx.get(`SELECT uid FROM commits WHERE uid = ?`, run.commitUid);
  if (commit === undefined) return;
  const number = bases.runs + run.number;
  const added = await tx.run(
    `INSERT INTO runs (id, number, repo, branch, commit_uid, commit_id, fresh, started_micros, finished_micros) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO NOTHING`,
    run.id,
    number,
    run.repo,
    run.branch,
    run.commitUid,
    run.commitId,
    run.isFresh ? 1 : 0,
    run.startedMicros,
    run.finishedMicros,
  );
  if (added === 0) return;
  await eachTogether([...run.jobs.entries()], ([position, job]) =>
    tx.run(
      `INSERT INTO run_jobs (run_id, position, number, name, descriptor, output_repo, job_id, error) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      run.id,
      position,
      number,
      job.name,
      job.descriptor,
      job.outputRepo,
      job.jobId,
      job.error,
    ),
  );
}

function textOf(value: unknown): string {
  return value === null ? "" : JSON.stringify(value);
}
