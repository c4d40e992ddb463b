import { isCoded } from "../base/errors.ts";
import type { Principal } from "../model/principal.ts";
import { readLogs } from "../pps/index.ts";
import type { ClassicDeps } from "./classic-deps.ts";
import { branchRunInfoOf, type BranchRunInfo } from "./branch-run-info.ts";

const listedMax = 100;

/** The newest runs, newest first. */
export async function listRuns({ pps, repo }: ClassicDeps): Promise<BranchRunInfo[]> {
  const runs = await pps.pfs.metadata.call("lastRuns", { repo, limit: listedMax });
  return runs.map(branchRunInfoOf);
}

/** The run of this id, or of the one id that begins so. @throws CodedError `not_found` */
export async function findRun({ pps }: ClassicDeps, id: string): Promise<BranchRunInfo> {
  return branchRunInfoOf(await pps.pfs.metadata.call("findRun", { id }));
}

/** What the servers of a run's jobs have printed, and what was noted of files that failed: `job | task | line`. */
export async function* readRunLogs(
  { pps }: ClassicDeps,
  principal: Principal,
  run: BranchRunInfo,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  for (const { name, job } of run.jobs) {
    if (job === undefined) continue;
    try {
      for await (const line of readLogs(pps, principal, job, { signal }))
        yield Buffer.concat([Buffer.from(`${name} | `), line]);
    } catch (error) {
      // Nothing was changed, so nothing ran; or the job was deleted.
      if (!isCoded(error, "not_found")) throw error;
    }
  }
}
