import { codedErrorFrom, isCoded } from "../base/errors.ts";
import type { PipelineState } from "../model/job.ts";
import type { NewJob, PipelineDetail } from "../metadata/index.ts";
import { inputSetsOf, type JobInputs } from "./dag.ts";
import { jobIdOf } from "./job-id.ts";
import type { PpsDeps } from "./pps-deps.ts";
import { isReused } from "./reuse-facts.ts";

/** Commits looked at in one transaction. */
const triggersMax = 50;

/**
 * Creates the jobs for all finished commits that a pipeline has not looked at yet, in the order they
 * finished. The pipeline's cursor moves with the jobs, so nothing is missed or done twice whoever
 * calls this, and however often.
 */
export async function triggerPipeline(deps: PpsDeps, name: string): Promise<void> {
  const note = async (error: string): Promise<void> =>
    await deps.pfs.metadata.call("notePipelineError", { name, error });
  try {
    const state = await createDueJobs(deps, name);
    if (state === "restarting") await note("");
  } catch (thrown) {
    await note(codedErrorFrom(thrown).message);
    throw thrown;
  }
}

/** Gives back what the pipeline's state was; undefined when it is gone. */
async function createDueJobs(deps: PpsDeps, name: string): Promise<PipelineState | undefined> {
  const { metadata, hints } = deps.pfs;
  for (;;) {
    const pipeline = await metadata.call("pipelineDetail", { name });
    if (pipeline === undefined || pipeline.state === "stopped") return pipeline?.state;
    if (pipeline.spec.inputs.length === 0) return pipeline.state;
    const repos = sortedInputs(pipeline).map((input) => input.repo);
    const triggers = await metadata.call("nextTriggers", {
      pipeline: name,
      repos,
      cursor: pipeline.cursor,
      limit: triggersMax,
    });
    const last = triggers.at(-1);
    if (last === undefined) return pipeline.state;
    const jobs = triggers.flatMap((trigger) =>
      inputSetsOf(trigger, repos).map((set) => newJob(deps, pipeline, trigger.commit, set)),
    );
    try {
      await metadata.call("createJobs", {
        pipeline: name,
        version: pipeline.version,
        cursor: pipeline.cursor,
        newCursor: last.finishNumber,
        jobs,
      });
    } catch (error) {
      if (!isCoded(error, "aborted")) throw error;
    }
    hints.give("events");
  }
}

/** In the order in which jobs have them. */
export function sortedInputs(pipeline: PipelineDetail): PipelineDetail["spec"]["inputs"] {
  return [...pipeline.spec.inputs].sort((a, b) => (a.repo < b.repo ? -1 : 1));
}

function newJob(
  deps: PpsDeps,
  pipeline: PipelineDetail,
  cause: { readonly repo: string; readonly id: string },
  set: JobInputs,
): NewJob {
  const { spec, version } = pipeline;
  const specs = sortedInputs(pipeline);
  const identity = (inputs: JobInputs["inputs"]): string =>
    jobIdOf({
      pipeline: spec.name,
      version,
      transform: spec.transform,
      inputs: inputs.map((commit, i) => ({
        uid: commit.uid,
        method: specs[i]!.method,
        runEmpty: specs[i]!.runEmpty,
        each: specs[i]!.each,
      })),
    });
  const { inputs, before } = set;
  // A non-incremental input that changed means: from scratch (contract 3.8). MapReduce replaces what was there.
  const continues =
    before !== undefined &&
    (spec.transform.mapReduce !== undefined ||
      inputs.every(
        (commit, i) => specs[i]!.method.incremental !== "NONE" || commit.uid === before[i]!.uid,
      ));
  return {
    id: identity(inputs),
    parentId: continues ? identity(before) : undefined,
    ...(continues ? { parentInputs: before.map(({ uid }) => uid) } : {}),
    cause: { by: "commit", repo: cause.repo, id: cause.id },
    limits: spec.limits,
    transform: spec.transform,
    parallelism: spec.parallelismSpec,
    reuse: isReused(deps, spec) ? "takes" : "no",
    inputs: inputs.map((commit, i) => ({
      repo: commit.repo,
      uid: commit.uid,
      commitId: commit.id,
      method: specs[i]!.method,
      runEmpty: specs[i]!.runEmpty,
      each: specs[i]!.each,
      lazy: specs[i]!.lazy === true,
    })),
  };
}
