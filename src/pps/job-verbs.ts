import { randomHex } from "../base/random.ts";
import type { JobInfo } from "../model/job.ts";
import type { Principal } from "../model/principal.ts";
import type { PpsDeps } from "./pps-deps.ts";

/** Ends a job that is going on: what its tasks run is killed, its output commit cancelled. */
export async function stopJob(
  deps: PpsDeps,
  _principal: Principal,
  id: string,
  options: { key?: string } = {},
): Promise<JobInfo> {
  const error = "stopped by somebody";
  const info = await deps.pfs.metadata.call("stopJob", { id, error, ...options });
  giveJobHints(deps, [info.id]);
  return { ...info, runner: deps.runner };
}

/**
 * Does a failed job again, under its id, into another output commit.
 *
 * @param options `failedOnly`: tasks that succeeded keep what they wrote
 */
export async function restartJob(
  deps: PpsDeps,
  _principal: Principal,
  id: string,
  options: { failedOnly: boolean; key?: string },
): Promise<JobInfo> {
  const { metadata, random, hints } = deps.pfs;
  const outputUid = randomHex(random);
  const newBranch = randomHex(random);
  const info = await metadata.call("restartJob", { id, outputUid, newBranch, ...options });
  for (const topic of ["events", "tasks", "jobs", "commits", `job-progress:${id}`])
    hints.give(topic);
  return { ...info, runner: deps.runner };
}

/** Removes a job with its logs; one that is going on is ended first. What it wrote stays. */
export async function deleteJob(
  deps: PpsDeps,
  _principal: Principal,
  id: string,
  options: { key?: string } = {},
): Promise<void> {
  const removed = await deps.pfs.metadata.call("deleteJob", { id, ...options });
  giveJobHints(deps, [removed.id]);
}

/** Ends a job that has not ended in its time. */
export async function endOverdueJob(deps: PpsDeps, id: string): Promise<void> {
  const { metadata } = deps.pfs;
  const job = await metadata.call("jobDetail", { id });
  if (job === undefined) return;
  const seconds = job.info.limits.jobTimeoutMs / 1_000;
  const error = `timed out: the job had not ended after ${seconds} s (jobTimeout)`;
  if (await metadata.call("endOverdueJob", { id, error })) giveJobHints(deps, [id]);
}

/** Whoever works on these jobs, or waits for them, looks again. */
export function giveJobHints(deps: PpsDeps, ids: readonly string[]): void {
  const { hints } = deps.pfs;
  for (const id of ids) {
    hints.give(`job:${id}`);
    hints.give(`ended:${id}`);
    hints.give(`job-progress:${id}`);
  }
  for (const topic of ["events", "jobs", "commits"]) hints.give(topic);
}
