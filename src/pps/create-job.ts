import { CodedError, isCoded } from "../base/errors.ts";
import { randomHex } from "../base/random.ts";
import type { JobInfo } from "../model/job.ts";
import { parseJobSpec, type JobSpec } from "../model/job-spec.ts";
import { defaultLimits } from "../model/limits.ts";
import type { Principal } from "../model/principal.ts";
import { wholeIfMapReduce, type Transform } from "../model/spec-schema.ts";
import type { JobParts, NewJob, PipelineDetail } from "../metadata/index.ts";
import { inputSetsOf, type InputSet } from "./dag.ts";
import { jobIdOf } from "./job-id.ts";
import type { PpsDeps } from "./pps-deps.ts";
import { isReused } from "./reuse-facts.ts";
import { requireStages } from "./stages.ts";
import { sortedInputs } from "./trigger.ts";

/**
 * Makes one job from a spec: of a pipeline, from which comes what the spec does not say, or of none. The
 * same job of a pipeline is made once: asked for again, unless with `force`, the answer is the one there is.
 *
 * @throws CodedError `invalid_argument`, `not_found`, `failed_precondition`
 */
export async function createJob(
  deps: PpsDeps,
  _principal: Principal,
  request: { document: unknown; key?: string },
): Promise<JobInfo> {
  const { metadata, hints, random } = deps.pfs;
  const { key } = request;
  // What it was made of may be gone since: the answer stays.
  const { answer } = key === undefined ? {} : await metadata.call("findRequest", { key });
  if (answer !== undefined) return { ...(JSON.parse(answer) as JobInfo), runner: deps.runner };
  const spec = parseJobSpec(request.document);
  const id = randomHex(random);
  const parts = await findParts(deps, spec, id);
  const job = await jobOf(deps, { spec, parts, id });
  const info = await metadata.call("createJob", {
    job,
    pipeline: parts.pipeline?.spec.name ?? "",
    version: parts.pipeline?.version ?? 0,
    ...(parts.parent === undefined ? {} : { outputRepo: parts.parent.outputRepo }),
    ...(spec.output === undefined ? {} : { newRepo: spec.output }),
    ...(key === undefined ? {} : { key }),
  });
  for (const topic of ["events", "repos", "jobs"]) hints.give(topic);
  return { ...info, runner: deps.runner };
}

async function findParts(deps: PpsDeps, spec: JobSpec, id: string): Promise<JobParts> {
  const { pipeline, parentJob, inputs = [] } = spec;
  try {
    return await deps.pfs.metadata.call("findJobParts", {
      inputs: inputs.map(({ commit }) => commit),
      ...(pipeline === undefined ? {} : { pipeline }),
      ...(parentJob === undefined ? {} : { parentJob }),
    });
  } catch (error) {
    const isRepo = isCoded(error, "not_found") && "repo" in error.details;
    if (!isRepo || "commit" in error.details || pipeline !== undefined) throw error;
    const classic = `could not create repo job_${id}, not all provenance repos exist`;
    const details = { ...error.details, classic };
    throw new CodedError("not_found", error.message, { details, cause: error });
  }
}

async function jobOf(
  deps: PpsDeps,
  { spec, parts, id }: { spec: JobSpec; parts: JobParts; id: string },
): Promise<NewJob> {
  const { pipeline, parent } = parts;
  const transform = spec.transform ?? pipeline?.spec.transform;
  if (transform === undefined) throw new Error("a job spec has a transform or a pipeline");
  const given =
    spec.inputs === undefined && pipeline !== undefined
      ? await ownInputs(deps, pipeline)
      : (spec.inputs ?? []).map(({ method, runEmpty, each, lazy }, i) => {
          const { repo, uid, id: commitId } = parts.inputs[i]!;
          return { repo, uid, commitId, method, runEmpty, each, lazy };
        });
  const inputs = wholeIfMapReduce(given, transform);
  requireStages(deps, transform);
  const otherwise = spec.transform === undefined ? pipeline?.spec : undefined;
  return {
    id: identityOf(spec, pipeline, { transform, inputs }) ?? id,
    parentId: parent?.id,
    cause: { by: "person" },
    transform,
    parallelism: spec.parallelismSpec ??
      otherwise?.parallelismSpec ?? { strategy: "CONSTANT", constant: 0 },
    limits: { ...defaultLimits, ...pipeline?.spec.limits, ...spec.limits },
    reuse: reuseOf(deps, spec, { pipeline, transform }),
    inputs,
  };
}

/** Only jobs of a pipeline take outputs: of those before them. */
function reuseOf(
  deps: PpsDeps,
  { reprocess }: JobSpec,
  job: { pipeline: PipelineDetail | undefined; transform: Transform },
): NewJob["reuse"] {
  if (job.pipeline === undefined) return "no";
  const { reuse } = job.pipeline.spec;
  const { transform } = job;
  if (!isReused(deps, { transform, ...(reuse === undefined ? {} : { reuse }) })) return "no";
  return reprocess ? "gives" : "takes";
}

/** Undefined for a job that is another one each time it is asked for. */
function identityOf(
  spec: JobSpec,
  pipeline: PipelineDetail | undefined,
  { transform, inputs }: { transform: Transform; inputs: NewJob["inputs"] },
): string | undefined {
  if (pipeline === undefined || spec.force || inputs.length === 0) return undefined;
  return jobIdOf({ pipeline: pipeline.spec.name, version: pipeline.version, transform, inputs });
}

/** Triggers looked at before a pipeline is said to have nothing to run on. */
const triggersMax = 50;

/** What a pipeline would run on if its newest input commit had just finished. */
async function ownInputs(deps: PpsDeps, pipeline: PipelineDetail): Promise<NewJob["inputs"]> {
  const specs = sortedInputs(pipeline);
  if (specs.length === 0) return [];
  const repos = specs.map(({ repo }) => repo);
  const triggers = await deps.pfs.metadata.call("lastTriggers", {
    repos,
    before: Number.MAX_SAFE_INTEGER,
    limit: triggersMax,
  });
  for (const trigger of triggers) {
    const set: InputSet | undefined = inputSetsOf(trigger, repos).at(-1)?.inputs;
    if (set === undefined) continue;
    return set.map(({ repo, uid, id }, i) => {
      const { method, runEmpty, each, lazy = false } = specs[i]!;
      return { repo, uid, commitId: id, method, runEmpty, each, lazy };
    });
  }
  throw new CodedError(
    "failed_precondition",
    `Cannot run pipeline ${pipeline.spec.name}: ${repos.join(" and ")} ${repos.length === 1 ? "has" : "have"} no finished commits that go together. Finish one, or name the inputs with -f`,
    { details: { pipeline: pipeline.spec.name } },
  );
}
