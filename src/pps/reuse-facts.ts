import { sha256Of } from "../base/hash.ts";
import type { Transform } from "../model/spec-schema.ts";
import type { JobDetail } from "../metadata/index.ts";
import { openView } from "../pfs/index.ts";
import { isContained, type PpsDeps } from "./pps-deps.ts";

/** Whether tasks take outputs of earlier ones: of commands in containers, unless the spec says otherwise. */
export function isReused(
  deps: PpsDeps,
  { reuse, transform }: { readonly reuse?: boolean; readonly transform: Transform },
): boolean {
  return reuse ?? isContained(deps, transform);
}

/** What tasks of different jobs must have in common for one to take the output of another. */
export interface ReuseFacts {
  /** Of all but the image. */
  readonly key: string;
  /** Digest of the image; empty for a process, undefined when it is not known before a task has run. */
  readonly image: string | undefined;
}

/** What the tasks of a job have in common: program, environment, how inputs are divided, previous output. */
export async function reuseFactsOf(deps: PpsDeps, job: JobDetail): Promise<ReuseFacts> {
  const { image, env, ...transform } = job.info.transform;
  const contained = isContained(deps, job.info.transform);
  const previous =
    job.base === undefined ? "" : (await openView(deps.pfs, { uid: job.base.outputUid })).digest;
  const facts = [
    "tasks 1",
    contained ? "container" : "process",
    transform,
    Object.entries(env).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    job.inputs.map(({ repo, method, each }) => [repo, method.partition, method.incremental, each]),
    previous,
  ];
  const key = sha256Of([Buffer.from(JSON.stringify(facts))]).toString("hex");
  if (!contained) return { key, image: "" };
  // A machine that cannot tell what the image is runs the tasks, and learns it from them.
  return { key, image: await deps.imageDigest?.(image).catch(() => undefined) };
}
