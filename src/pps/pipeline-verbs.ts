import type { PipelineInfo } from "../model/job.ts";
import { parsePipelineSpec } from "../model/pipeline-spec.ts";
import type { Principal } from "../model/principal.ts";
import { giveJobHints } from "./job-verbs.ts";
import { shownPipeline } from "./pipelines.ts";
import type { PpsDeps } from "./pps-deps.ts";

/** Has a pipeline make jobs again, beginning with what finished while it was stopped. */
export async function startPipeline(
  deps: PpsDeps,
  _principal: Principal,
  name: string,
  options: { key?: string } = {},
): Promise<PipelineInfo> {
  return await setRunning(deps, { name, isRunning: true, ...options });
}

/** Has a pipeline make no more jobs; those that are there go on. */
export async function stopPipeline(
  deps: PpsDeps,
  _principal: Principal,
  name: string,
  options: { key?: string } = {},
): Promise<PipelineInfo> {
  return await setRunning(deps, { name, isRunning: false, ...options });
}

async function setRunning(
  deps: PpsDeps,
  request: { name: string; isRunning: boolean; key?: string },
): Promise<PipelineInfo> {
  const info = await deps.pfs.metadata.call("setPipelineRunning", request);
  deps.pfs.hints.give("events");
  return shownPipeline(deps, info);
}

/**
 * Gives a pipeline another spec. With `archive` all that it made is archived and made anew, without it goes
 * on from here. With `reprocess` its tasks take no output of those of an earlier version.
 */
export async function updatePipeline(
  deps: PpsDeps,
  _principal: Principal,
  request: { document: unknown; archive: boolean; reprocess?: boolean; key?: string },
): Promise<PipelineInfo> {
  const { document, ...options } = request;
  const spec = parsePipelineSpec(document);
  const { info, jobs } = await deps.pfs.metadata.call("updatePipeline", { spec, ...options });
  giveJobHints(deps, jobs);
  deps.pfs.hints.give("repos");
  return shownPipeline(deps, info);
}
