import { codedErrorFrom, isCoded } from "../base/errors.ts";
import type { InputOf, JobDetail, JobPlan, ReuseBase } from "../metadata/index.ts";
import type { DividedJob } from "./divide-job.ts";
import type { PpsDeps } from "./pps-deps.ts";
import { reuseFactsOf, type ReuseFacts } from "./reuse-facts.ts";
import { goneTasks, reusedFrom, sameTasks } from "./reuse-ranges.ts";

/** What the tasks of a job have in common, and an earlier job of which that is true too. */
export interface Reuse {
  readonly facts: ReuseFacts;
  readonly base: ReuseBase | undefined;
}

/** Looks for an earlier job whose outputs the tasks of a job may take; undefined for one that runs for itself. */
export async function findReuse(deps: PpsDeps, job: JobDetail): Promise<Reuse | undefined> {
  if (job.reuse === "no" || job.inputs.length === 0) return undefined;
  const facts = await reuseFactsOf(deps, job);
  const { key, image } = facts;
  if (job.reuse === "gives" || image === undefined) return { facts, base: undefined };
  const base = await deps.pfs.metadata.call("findReuseBase", { jobId: job.info.id, key, image });
  return { facts, base };
}

type JobStart = InputOf<"startJob">;

/** What becomes of a divided job: which tasks need not run, and which output its own is made from. */
export function reusePlanOf(
  job: JobDetail,
  reuse: Reuse | undefined,
  { matched }: Pick<DividedJob, "matched">,
): Pick<JobStart, "reuse"> & { plan: Pick<JobPlan, "exchange"> } {
  if (reuse === undefined) return { plan: {} };
  const { facts, base } = reuse;
  const { key, image = "" } = facts;
  const compared = base === undefined ? {} : { base: { id: base.id, run: base.run } };
  // Nothing is matched when that job could not be compared with.
  if (base === undefined || matched.length === 0)
    return { reuse: { key, image, reused: [], ...compared }, plan: {} };
  const same = sameTasks(matched);
  const reused = reusedFrom(same, base);
  const isAllTaken = sum(same.map(({ count }) => count)) === sum(reused.map(({ span }) => span));
  const { outputUid, id: jobId } = base;
  const isExchange =
    outputUid !== null && isAllTaken && reused.length > 0 && job.base === undefined;
  return {
    reuse: { key, image, reused, ...compared },
    plan: isExchange ? { exchange: { jobId, outputUid, gone: goneTasks(same, base.tasks) } } : {},
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, number) => all + number, 0);
}

/** Whether a job can do without what it would have been compared with: that is not there any more. */
export function isBaseGone(error: unknown): boolean {
  return isCoded(codedErrorFrom(error), "not_found") || isCoded(error, "data_loss");
}
