import { isCoded } from "../base/errors.ts";
import { randomHex } from "../base/random.ts";
import type { CommitInfo } from "../model/commit.ts";
import type { Principal } from "../model/principal.ts";
import { Branch } from "../pfs/index.ts";
import type { ClassicDeps } from "./classic-deps.ts";
import type { Descriptor } from "../model/job-descriptor.ts";
import { readJobs } from "./job-files.ts";
import { orderJobs } from "./order-jobs.ts";
import { outputRepoOf } from "./output-repo.ts";

/**
 * Commits a branch and begins to run all jobs that it describes; `isFresh` runs them from the start although
 * nothing has changed. Jobs that cannot be run leave the branch as it is.
 *
 * @throws CodedError `failed_precondition` for jobs that read each other in a circle, or what is not there
 */
export async function startRun(
  deps: ClassicDeps,
  principal: Principal,
  { branch, isFresh }: { branch: string; isFresh: boolean },
  { waitMs, signal }: { waitMs: number; signal: AbortSignal },
): Promise<{ commit: CommitInfo; run: string }> {
  const { pps, repo } = deps;
  const writer = new Branch(pps.pfs, principal, { repo, name: branch });
  const head = await writer.head().catch((error: unknown) => {
    if (isCoded(error, "not_found")) return undefined;
    throw error;
  });
  if (head !== undefined) orderJobs(await readJobs(deps, principal, head.id, signal));
  const commit = await writer.finish({ waitMs, signal });
  const jobs = await readJobs(deps, principal, commit.id, signal);
  const run = randomHex(pps.pfs.random, 8);
  await pps.pfs.metadata.call("createRun", {
    id: run,
    repo,
    branch,
    commitUid: commit.uid,
    commitId: commit.id,
    isFresh,
    jobs: orderJobs(jobs).map((name) => {
      const job = jobs.get(name) as Descriptor;
      return {
        name,
        descriptor: JSON.stringify(job),
        outputRepo: outputRepoOf(repo, branch, { name, source: job.source }),
      };
    }),
  });
  pps.pfs.hints.give("jobs");
  return { commit, run };
}
