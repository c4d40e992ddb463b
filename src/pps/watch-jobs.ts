import type { JobInfo } from "../model/job.ts";
import type { CommitName } from "../model/commit.ts";
import type { Principal } from "../model/principal.ts";
import { inspectJob, isEnded, listJobs } from "./pipelines.ts";
import type { PpsDeps } from "./pps-deps.ts";

/**
 * A job as it is now, and again each time it or one of its tasks changes; ends when it has ended. What
 * changes faster than it is read is shown as it is when it is read.
 *
 * @throws CodedError `not_found` when it is not there, or not any more
 */
export async function* watchJob(
  deps: PpsDeps,
  principal: Principal,
  id: string,
  signal: AbortSignal,
): AsyncGenerator<readonly JobInfo[], void, void> {
  const { hints, clock } = deps.pfs;
  let shown = "";
  for (let isGoing = true; isGoing;) {
    const info = await hints.until(
      `job-progress:${id}`,
      async () => {
        const now = await inspectJob(deps, principal, id, { waitMs: 0, signal });
        return JSON.stringify(now) === shown ? undefined : now;
      },
      { clock, signal },
    );
    shown = JSON.stringify(info);
    isGoing = !isEnded(info);
    yield [info];
    // Its tasks may end by the hundred a second, and each look is at all of them.
    if (isGoing) await clock.sleep(restMs, signal);
  }
}

const restMs = 100;

/**
 * The jobs that match as they are now, oldest first, then each that is new or has another state. Never ends
 * by itself.
 *
 * @throws CodedError `not_found` for an input commit that is not there, or not any more
 */
export async function* watchJobs(
  deps: PpsDeps,
  principal: Principal,
  query: { pipeline?: string; inputs: CommitName[] },
  signal: AbortSignal,
): AsyncGenerator<readonly JobInfo[], never, void> {
  const { hints, clock } = deps.pfs;
  let shown: ReadonlyMap<string, string> | undefined;
  for (;;) {
    const jobs = await hints.until(
      "jobs",
      async () => {
        const now = (await listJobs(deps, principal, query)).reverse();
        const news = now.filter(({ id, state }) => shown?.get(id) !== state);
        if (news.length === 0 && shown !== undefined) return undefined;
        shown = new Map(now.map(({ id, state }) => [id, state]));
        return news;
      },
      { clock, signal },
    );
    yield jobs;
  }
}
