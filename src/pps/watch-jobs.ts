import type { JobInfo } from "../model/job.ts";
import type { CommitName } from "../model/commit.ts";
import type { Principal } from "../model/principal.ts";
import { inspectJob, isEnded, listJobs } from "./pipelines.ts";
import { standOf } from "./progress.ts";
import type { PpsDeps } from "./pps-deps.ts";

/** Between two looks at a job that goes on: many tasks may end meanwhile. */
const everyMs = 500;

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
        return standOf(now) === shown ? undefined : now;
      },
      { clock, signal },
    );
    shown = standOf(info);
    isGoing = !isEnded(info);
    yield [info];
    if (isGoing) await pauseUnlessEnded(deps, info.id, signal);
  }
}

/** Rests, but not past the end of a job. */
async function pauseUnlessEnded(deps: PpsDeps, id: string, signal: AbortSignal): Promise<void> {
  const ended = new AbortController();
  const stop = deps.pfs.hints.listen(`ended:${id}`, () => {
    ended.abort();
  });
  await deps.pfs.clock
    .sleep(everyMs, AbortSignal.any([signal, ended.signal]))
    .catch(() => undefined);
  stop();
}

/**
 * The jobs that match as they are now, oldest first, then each that is new, has another state or has come
 * further: at most twice a second. Never ends by itself.
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
        const news = now.filter((job) => shown?.get(job.id) !== standOf(job));
        if (news.length === 0 && shown !== undefined) return undefined;
        shown = new Map(now.map((job) => [job.id, standOf(job)]));
        return news;
      },
      { clock, signal },
    );
    yield jobs;
    await clock.sleep(everyMs, signal);
  }
}
