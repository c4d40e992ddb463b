import type { Principal } from "../model/principal.ts";
import type { RunInfo } from "../model/run.ts";
import { inspectJob } from "./pipelines.ts";
import type { PpsDeps } from "./pps-deps.ts";

/** The newest runs of MapReduce, the newest first, without stages and counters. */
export async function listRuns(deps: PpsDeps, _principal: Principal): Promise<RunInfo[]> {
  return await deps.pfs.metadata.call("listMapReduceRuns", {});
}

/** One run with its stages and counters; with `waitMs`, when it has ended or after that time. */
export async function inspectRun(
  deps: PpsDeps,
  principal: Principal,
  id: string,
  wait: { waitMs: number; signal: AbortSignal },
): Promise<RunInfo> {
  const run = await deps.pfs.metadata.call("inspectMapReduceRun", { id });
  if (wait.waitMs === 0 || run.finishedMicros !== undefined) return run;
  await inspectJob(deps, principal, run.id, wait);
  return await deps.pfs.metadata.call("inspectMapReduceRun", { id: run.id });
}
