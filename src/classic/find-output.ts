import { CodedError } from "../base/errors.ts";
import type { CommitName } from "../model/commit.ts";
import type { BranchRun } from "./branch-run.ts";
import { hasEnded, stateOf } from "./advance-runs.ts";
import type { ClassicDeps } from "./classic-deps.ts";
import { errorOf } from "./branch-run-info.ts";

/**
 * The commit with the output of a job at a commit, once that has been run.
 *
 * @throws CodedError `failed_precondition` when the commit was not run, or the job failed; `not_found` for no job
 *   of that run; `deadline_exceeded` when it still runs after `waitMs`
 */
export async function findOutput(
  { pps, repo }: ClassicDeps,
  { commit, name }: { commit: string; name: string },
  { waitMs, signal }: { waitMs: number; signal: AbortSignal },
): Promise<CommitName> {
  const { metadata, clock, hints } = pps.pfs;
  const { info } = await metadata.call("findCommit", { repo, id: commit });
  const overdue = clock.monotonicMs() + waitMs;
  return await hints.until(
    "jobs",
    async () => {
      const run = await metadata.call("runOfCommit", { uid: info.uid });
      if (run === undefined) throw neverRun(info.id, name);
      const output = outputIn(run, name);
      if (output !== undefined || clock.monotonicMs() < overdue) return output;
      throw new CodedError(
        "deadline_exceeded",
        `Cannot read the output of job/${name} at commit ${run.commitId}: it still runs. Ask again later; GET /run/${run.id} says how far it is`,
        { details: { run: run.id } },
      );
    },
    { clock, signal },
  );
}

function outputIn(run: BranchRun, name: string): CommitName | undefined {
  const job = run.jobs.find((candidate) => candidate.name === name);
  if (job === undefined)
    throw new CodedError(
      "not_found",
      `There is no job/${name} at commit ${run.commitId}: its jobs are ${run.jobs.map((other) => other.name).join(", ") || "none"}`,
    );
  const state = stateOf(job);
  if (!hasEnded(state)) return undefined;
  if (state === "success") return job.info!.outputCommit!;
  throw new CodedError(
    "failed_precondition",
    `Cannot read the output of job/${name} at commit ${run.commitId}: ${errorOf(job)}. GET /run/${run.id} says more`,
    { details: { run: run.id } },
  );
}

function neverRun(commit: string, name: string): CodedError {
  return new CodedError(
    "failed_precondition",
    `Cannot read the output of job/${name} at commit ${commit}: it was not run. Commit and run with POST /commit?run, and name the commit that answers`,
  );
}
