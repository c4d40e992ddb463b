import { sha256Of } from "../base/hash.ts";
import type { InputOf, JobDetail, ReusedTasks } from "../metadata/index.ts";
import { isContained, type PpsDeps } from "./pps-deps.ts";

type NewStage = InputOf<"startStage">["stage"];

/** Keys looked for at a time. */
const keysMax = 500;

/** A first stage, and which of its tasks need not run. */
export type StartedStage = Pick<InputOf<"startJob">, "reuse"> & { readonly stage: NewStage };

/**
 * Finds tasks of earlier jobs that read the same with the same program. Only for jobs of pipelines: what others
 * would keep for later, nobody would ever remove.
 */
export async function reuseOfStage(
  deps: PpsDeps,
  job: JobDetail,
  { keys, ...stage }: NewStage,
): Promise<StartedStage> {
  if (keys === undefined || job.reuse === "no" || job.info.pipeline === "") return { stage };
  const facts = await factsOf(deps, job);
  if (facts === undefined) return { stage };
  const whole = keys.map((key) =>
    sha256Of([Buffer.from(facts.text), Buffer.from(key)]).toString("hex"),
  );
  const reused = job.reuse === "takes" ? await reusedTasks(deps, whole) : [];
  return { stage: { ...stage, keys: whole }, reuse: { key: "", image: facts.image, reused } };
}

/** What all tasks have in common beside what the planner knows; undefined when that cannot be told. */
async function factsOf(
  deps: PpsDeps,
  job: JobDetail,
): Promise<{ text: string; image: string } | undefined> {
  const { env, mapReduce: _planned, image, ...transform } = job.info.transform;
  const contained = isContained(deps, job.info.transform);
  const digest = contained ? await deps.imageDigest?.(image).catch(() => undefined) : "";
  if (digest === undefined) return undefined;
  const variables = Object.entries(env).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const facts = ["stages 2", job.info.pipeline, contained, digest, transform, variables];
  return { text: JSON.stringify(facts), image: digest };
}

async function reusedTasks(deps: PpsDeps, keys: readonly string[]): Promise<ReusedTasks[]> {
  const reused: ReusedTasks[] = [];
  for (let at = 0; at < keys.length; at += keysMax) {
    const part = keys.slice(at, at + keysMax);
    const found = await deps.pfs.metadata.call("findTasksByKey", { keys: part });
    const byKey = new Map(found.map((task) => [task.key, task]));
    for (const [i, key] of part.entries()) {
      const task = byKey.get(key);
      if (task !== undefined)
        reused.push({ task: at + i, span: 1, fromJob: task.jobId, fromTask: task.task });
    }
  }
  return reused;
}
