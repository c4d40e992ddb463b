import type { JobInfo, PipelineInfo } from "../model/job.ts";
import { parsePipelineSpec } from "../model/pipeline-spec.ts";
import type { Transform } from "../model/spec-schema.ts";
import type { CommitName } from "../model/commit.ts";
import type { Principal } from "../model/principal.ts";
import { recheckMs } from "../base/hints.ts";
import { giveJobHints } from "./job-verbs.ts";
import { runnerOf, type PpsDeps } from "./pps-deps.ts";
import { withRate } from "./progress.ts";
import { isReused } from "./reuse-facts.ts";

/** Makes a pipeline: it runs on every finished commit of its inputs, past and future. */
export async function createPipeline(
  deps: PpsDeps,
  _principal: Principal,
  request: { document: unknown; key?: string },
): Promise<PipelineInfo> {
  const { metadata, hints } = deps.pfs;
  const info = await metadata.call("createPipeline", {
    spec: parsePipelineSpec(request.document),
    ...(request.key === undefined ? {} : { key: request.key }),
  });
  hints.give("repos");
  hints.give("events");
  return shownPipeline(deps, info);
}

/** As it is shown: with what runs it here. */
function withRunner<T extends { readonly transform: Transform }>(
  deps: PpsDeps,
  info: T,
): T & { runner: string } {
  return { ...info, runner: runnerOf(deps, info.transform) };
}

function shownJob(deps: PpsDeps, info: JobInfo): JobInfo {
  return withRate(withRunner(deps, info), deps.pfs.clock.nowMicros());
}

/** As it is shown: with what runs it here, and whether its tasks are reused. */
export function shownPipeline(deps: PpsDeps, info: PipelineInfo): PipelineInfo {
  return withRunner(deps, { ...info, reuse: isReused(deps, info) });
}

/** One pipeline with its jobs counted by state. */
export async function inspectPipeline(
  deps: PpsDeps,
  _principal: Principal,
  name: string,
): Promise<PipelineInfo> {
  return shownPipeline(deps, await deps.pfs.metadata.call("inspectPipeline", { name }));
}

/** All pipelines by name. */
export async function listPipelines(deps: PpsDeps, _principal: Principal): Promise<PipelineInfo[]> {
  const found = await deps.pfs.metadata.call("listPipelines", {});
  return found.map((info) => shownPipeline(deps, info));
}

/** Removes a pipeline and its jobs, and stops what runs; the repo it wrote to stays. */
export async function deletePipeline(
  deps: PpsDeps,
  _principal: Principal,
  name: string,
  options: { key?: string } = {},
): Promise<void> {
  const { jobs } = await deps.pfs.metadata.call("deletePipeline", { name, ...options });
  giveJobHints(deps, jobs);
}

/** Removes all pipelines and all jobs; the repos they wrote to stay. */
export async function deleteAllPipelines(deps: PpsDeps, principal: Principal): Promise<void> {
  for (const { name } of await deps.pfs.metadata.call("listPipelines", {}))
    await deletePipeline(deps, principal, name);
  await deps.pfs.metadata.call("forgetMapReduceJobs", {});
  for (;;) {
    const { jobs } = await deps.pfs.metadata.call("deleteLooseJobs", { limit: looseJobsMax });
    giveJobHints(deps, jobs);
    if (jobs.length < looseJobsMax) return;
  }
}

/** Jobs removed in one transaction. */
const looseJobsMax = 50;

/** Jobs, newest first: of one pipeline, and of exactly this set of input commits when given. */
export async function listJobs(
  deps: PpsDeps,
  _principal: Principal,
  query: { pipeline?: string; inputs: CommitName[] },
): Promise<JobInfo[]> {
  const found = await deps.pfs.metadata.call("listJobs", query);
  return found.map((info) => shownJob(deps, info));
}

/** Whether a job will never change again. */
export function isEnded({ state }: JobInfo): boolean {
  return state === "success" || state === "failure" || state === "empty";
}

/** One job with its tasks; with `waitMs`, once it has ended or that time has passed. */
export async function inspectJob(
  deps: PpsDeps,
  _principal: Principal,
  id: string,
  wait: { waitMs: number; signal: AbortSignal },
): Promise<JobInfo> {
  const { clock, hints, metadata } = deps.pfs;
  const deadlineMs = clock.monotonicMs() + wait.waitMs;
  for (;;) {
    wait.signal.throwIfAborted();
    const round = new AbortController();
    const stop = hints.listen(`ended:${id}`, () => {
      round.abort();
    });
    try {
      // All of it is read in the end alone: with many tasks it is much.
      const isGoing = await metadata.call("isJobGoing", { id });
      const leftMs = deadlineMs - clock.monotonicMs();
      if (!isGoing || leftMs <= 0) return shownJob(deps, await metadata.call("inspectJob", { id }));
      await clock
        .sleep(Math.min(leftMs, recheckMs / 4), AbortSignal.any([round.signal, wait.signal]))
        .catch(() => undefined);
    } finally {
      stop();
    }
  }
}
