import { CodedError } from "../../base/errors.ts";
import type { CommitName } from "../../model/commit.ts";
import type { JobInfo } from "../../model/job.ts";
import type { Procedure, Tx } from "../metadata-store.ts";
import { nameOfRow, resolveRow, type CommitRow } from "./commit-rows.ts";
import { commitId } from "../../model/commit.ts";
import { infoOf, inputsOf, requireJob } from "./job-rows.ts";
import { pipelineDetail, requirePipeline, type PipelineDetail } from "./pipelines.ts";
import { createRepo, requireRepo } from "./repos.ts";
import { findAnswer, keepAnswer } from "./requests.ts";
import { insertJob, type NewJob } from "./trigger.ts";

/** What a job that somebody asks for would be made of. */
export interface JobParts {
  readonly pipeline: PipelineDetail | undefined;
  readonly parent: { readonly id: string; readonly outputRepo: string } | undefined;
  /** In the order asked for. */
  readonly inputs: readonly { readonly repo: string; readonly uid: string; readonly id: string }[];
}

/**
 * Finds what a job asked for refers to.
 *
 * @throws CodedError `not_found`; `failed_precondition` for a commit that is open, or a parent job that
 *   has other inputs or is another pipeline's
 */
export const findJobParts: Procedure<
  { pipeline?: string; parentJob?: string; inputs: CommitName[] },
  JobParts
> = async (tx, input) => {
  if (input.pipeline !== undefined) await requirePipeline(tx, input.pipeline);
  const pipeline =
    input.pipeline === undefined ? undefined : await pipelineDetail(tx, { name: input.pipeline });
  const inputs: JobParts["inputs"][number][] = [];
  for (const name of input.inputs) {
    const row = await resolveRow(tx, name);
    refuseOpen(row);
    inputs.push({ repo: row.repo, uid: row.uid, id: commitId(row.branch, row.number) });
  }
  const parent =
    input.parentJob === undefined
      ? undefined
      : await parentOf(tx, input.parentJob, { pipeline: input.pipeline ?? "", inputs });
  return { pipeline, parent, inputs };
};

function refuseOpen(row: CommitRow): void {
  if (row.state === "finished" || row.state === "cancelled") return;
  const name = nameOfRow(row);
  throw new CodedError(
    "failed_precondition",
    `Cannot create a job on commit ${name}: it is open. Finish it first: "pachctl finish-commit ${row.repo} ${commitId(row.branch, row.number)}"`,
    { details: { commit: name } },
  );
}

async function parentOf(
  tx: Tx,
  id: string,
  { pipeline, inputs }: { pipeline: string; inputs: JobParts["inputs"] },
): Promise<JobParts["parent"]> {
  const row = await requireJob(tx, id);
  const repos = (await inputsOf(tx, row.id)).map(({ repo }) => repo);
  const isSame = repos.length === inputs.length && inputs.every(({ repo }) => repos.includes(repo));
  if (!isSame) {
    const classic = `job does not have the same set of inputs as its parent ${row.id}`;
    throw new CodedError(
      "failed_precondition",
      `${classic}: name a commit of each of ${repos.join(", ") || "no repo"}`,
      { details: { job: row.id, classic } },
    );
  }
  if (row.pipeline !== pipeline)
    throw new CodedError(
      "failed_precondition",
      `Cannot continue job ${row.id}: it is ${row.pipeline === "" ? "of no pipeline" : `of pipeline ${row.pipeline}`}. Name a job of ${pipeline === "" ? "no pipeline" : pipeline}`,
      { details: { job: row.id } },
    );
  return { id: row.id, outputRepo: row.output_repo };
}

/**
 * Records a job that somebody asks for; with the id of one that is there, gives that one back. Without a
 * pipeline and a parent it writes to `newRepo`, made when it is not there, or to a repo of its own, `job_<id>`.
 */
export const createJob: Procedure<
  {
    job: NewJob;
    pipeline: string;
    version: number;
    outputRepo?: string;
    newRepo?: string;
    key?: string;
  },
  JobInfo
> = async (tx, { job, pipeline, version, outputRepo, newRepo = `job_${job.id}`, key }) => {
  const answered = await findAnswer<JobInfo>(tx, key);
  if (answered !== undefined) return answered;
  const repo = outputRepo ?? (pipeline === "" ? newRepo : pipeline);
  const isThere = (await tx.get(`SELECT id FROM jobs WHERE id = ?`, job.id)) !== undefined;
  if (!isThere && outputRepo === undefined && pipeline === "") await requireOutput(tx, repo, job);
  if (!isThere) {
    await requireRepo(tx, repo);
    for (const input of job.inputs) await requireUpstream(tx, repo, input);
    await insertJob(tx, job, { pipeline, version, repo });
  }
  const info = await infoOf(tx, await requireJob(tx, job.id));
  await keepAnswer(tx, key, info);
  return info;
};

/** Makes the repo of a job's output; one that is there may have been made by an earlier job. */
async function requireOutput(tx: Tx, repo: string, { inputs }: NewJob): Promise<void> {
  if ((await tx.get(`SELECT name FROM repos WHERE name = ?`, repo)) === undefined) {
    await createRepo(tx, { name: repo, provenance: inputs.map((input) => input.repo) });
    await tx.run(`UPDATE repos SET of_jobs = 1 WHERE name = ?`, repo);
    return;
  }
  const owner = await tx.get(`SELECT name FROM pipelines WHERE name = ?`, repo);
  if (owner !== undefined)
    throw new CodedError(
      "failed_precondition",
      `Cannot write to repo ${repo}: it is the output of a pipeline. Name another one`,
      { details: { repo } },
    );
}

async function requireUpstream(
  tx: Tx,
  repo: string,
  input: NewJob["inputs"][number],
): Promise<void> {
  const found = await tx.get(
    `SELECT upstream FROM repo_upstreams WHERE repo = ? AND upstream = ?`,
    repo,
    input.repo,
  );
  if (found !== undefined) return;
  const classic = `cannot use ${input.repo}/${input.commitId} as provenance, ${input.repo} is not provenance of ${repo}`;
  throw new CodedError(
    "failed_precondition",
    `${classic}: "pachctl inspect-repo ${repo}" shows what it is made from`,
    { details: { repo, classic } },
  );
}
