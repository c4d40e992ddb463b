import { hash } from "node:crypto";
import { codedErrorFrom, isCoded, type ErrorCode } from "../base/errors.ts";
import { recheckMs } from "../base/hints.ts";
import { localPrincipal } from "../model/principal.ts";
import type { JobInfo } from "../model/job.ts";
import type { BranchRun, RunJob } from "./branch-run.ts";
import { createServerJob, type NewServerJob, type PpsDeps } from "../pps/index.ts";
import type { Descriptor } from "../model/job-descriptor.ts";
import { transformOf } from "./server-of.ts";

/** Between two looks: each task of each job gives a hint. */
const restMs = 50;

/**
 * Makes the jobs of runs as soon as what they read is there, until the signal fires. Any number of daemons may:
 * what a job of a run becomes is a function of both.
 */
export async function advanceRuns(pps: PpsDeps, signal: AbortSignal): Promise<void> {
  const { clock, hints, log } = pps.pfs;
  while (!signal.aborted) {
    const hinted = Promise.withResolvers<void>();
    const stop = hints.listen("jobs", hinted.resolve);
    try {
      await advanceAll(pps, signal);
    } catch (error) {
      if (!signal.aborted)
        log.warn({ error: codedErrorFrom(error).message }, "Cannot go on with the runs");
    }
    const rested = new AbortController();
    const either = AbortSignal.any([signal, rested.signal]);
    await Promise.race([hinted.promise, clock.sleep(recheckMs, either).catch(() => undefined)]);
    rested.abort();
    stop();
    await clock.sleep(restMs, signal).catch(() => undefined);
  }
}

/** One look at every run that has not ended. */
export async function advanceAll(pps: PpsDeps, signal: AbortSignal): Promise<void> {
  for (const run of await pps.pfs.metadata.call("goingRuns", {})) {
    signal.throwIfAborted();
    await advanceRun(pps, run);
  }
}

async function advanceRun(pps: PpsDeps, run: BranchRun): Promise<void> {
  const { metadata, hints } = pps.pfs;
  for (const job of run.jobs) {
    if (stateOf(job) !== "waiting") continue;
    const next = await nextOf(pps, run, job);
    if (next !== undefined)
      await metadata.call("noteRunJob", { runId: run.id, name: job.name, ...next });
  }
  if (run.jobs.every((job) => hasEnded(stateOf(job)))) {
    await metadata.call("endRun", { id: run.id });
    hints.give("jobs");
  }
}

/** What becomes of a job that waits; undefined while it has to. */
async function nextOf(
  pps: PpsDeps,
  run: BranchRun,
  job: RunJob,
): Promise<{ jobId: string } | { error: string } | undefined> {
  const descriptor = JSON.parse(job.descriptor) as Descriptor;
  const input = inputOf(run, descriptor);
  if (input === undefined || "error" in input) return input;
  const { outputRepo } = job;
  const same = { outputRepo, descriptor: job.descriptor, before: run.number };
  const before = run.isFresh ? {} : await pps.pfs.metadata.call("runJobBefore", same);
  const id = hash("md5", JSON.stringify([run.id, job.name]));
  try {
    await createServerJob(pps, localPrincipal, {
      id,
      parentId: before.jobId,
      transform: transformOf(job.name, descriptor),
      input,
      outputRepo,
    });
    return { jobId: id };
  } catch (error) {
    if (!isCoded(error) || !hopeless.has(error.code)) throw error;
    return { error: error.message };
  }
}

/** What does not get better by trying again. */
const hopeless: ReadonlySet<ErrorCode> = new Set([
  "not_found",
  "failed_precondition",
  "invalid_argument",
  "permission_denied",
]);

/** The commit that a job reads, or why there will be none; undefined as long as it may still come. */
function inputOf(
  run: BranchRun,
  { source }: Descriptor,
): NewServerJob["input"] | { error: string } | undefined {
  if (source.kind !== "job") return { repo: run.repo, uid: run.commitUid, commitId: run.commitId };
  const read = run.jobs.find(({ name }) => name === source.name);
  if (read === undefined) return { error: `it reads job/${source.name}, which is not there` };
  const state = stateOf(read);
  if (state === "failure") return { error: `it reads job/${source.name}, which failed` };
  const output = read.info?.outputCommit;
  if (state !== "success" || output === undefined || read.outputUid === undefined) return undefined;
  return { repo: output.repo, uid: read.outputUid, commitId: output.id };
}

/** How far a job of a run is. */
export type RunJobState = "waiting" | "running" | "success" | "failure";

const states: Readonly<Record<JobInfo["state"], RunJobState>> = {
  creating: "running",
  running: "running",
  success: "success",
  empty: "success",
  failure: "failure",
};

/** How far a job of a run is; one that was deleted has failed. */
export function stateOf({ error, jobId, info }: RunJob): RunJobState {
  if (error !== undefined) return "failure";
  if (jobId === undefined) return "waiting";
  return info === undefined ? "failure" : states[info.state];
}

/** Whether nothing more becomes of it. */
export function hasEnded(state: RunJobState): boolean {
  return state === "success" || state === "failure";
}
