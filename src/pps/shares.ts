import { CodedError } from "../base/errors.ts";
import type { JobDetail, JobPlan, TaskClaim } from "../metadata/index.ts";
import { openView, type ViewSpec } from "../pfs/index.ts";
import { inputView } from "./job-views.ts";
import { digitsOfTask, shardsOfTask } from "./partition.ts";
import type { PpsDeps } from "./pps-deps.ts";
import { stageText } from "./stages.ts";

/** What one task is shown of one input. */
export interface Share {
  readonly name: string;
  readonly view: ViewSpec;
  /** To be shown through a mount. */
  readonly lazy?: boolean;
}

/** What a task is shown of each input: a shard of it, or one top-level entry. */
export async function sharesOf(
  deps: PpsDeps,
  job: JobDetail,
  plan: JobPlan,
  task: number,
): Promise<Share[]> {
  // A server is told its files by name.
  if (job.info.transform.server !== undefined)
    return job.inputs.map((input) => ({ name: input.repo, view: { uid: input.uid } }));
  const partitions = job.inputs.map((input) => input.method.partition);
  const shards = shardsOfTask(task, plan.moduli, partitions);
  const digits = digitsOfTask(task, plan.moduli);
  const shares: Share[] = [];
  for (const [i, input] of job.inputs.entries()) {
    const view = inputView(input, plan.fromUids[i] ?? null);
    const share = input.each
      ? await entryOf(deps, { jobId: job.info.id, position: i, number: digits[i]! })
      : { shard: shards[i]! };
    const lazy = input.lazy ? { lazy: true } : {};
    shares.push({ name: input.repo, view: { ...view, ...share }, ...lazy });
  }
  return shares;
}

async function entryOf(
  deps: PpsDeps,
  place: { jobId: string; position: number; number: number },
): Promise<Pick<ViewSpec, "top">> {
  const { name } = await deps.pfs.metadata.call("jobEntry", place);
  // Without entries there is one task, and it sees all that there is: nothing.
  return name === undefined ? {} : { top: name };
}

/** More tasks than this nobody can want of one job. */
const entriesMax = 1_000_000;

/** The names of the top-level files and directories of a view, in order. */
export async function entriesOf(
  deps: PpsDeps,
  spec: ViewSpec,
  signal: AbortSignal,
): Promise<string[]> {
  const view = await openView(deps.pfs, spec);
  const names: string[] = [];
  for await (const { path } of view.children("")) {
    signal.throwIfAborted();
    names.push(path);
    checkedEntryCount(names.length);
  }
  return names;
}

/** @throws CodedError `failed_precondition` for so many entries that nobody can want a task for each */
export function checkedEntryCount(count: number): void {
  if (count <= entriesMax) return;
  throw new CodedError(
    "failed_precondition",
    `it has more than ${entriesMax} top-level entries, too many for a task each. Put them into directories`,
  );
}

/** Names of files said of one input. */
const namesMax = 3;

/** What a task that failed was shown, for its error; nothing when that cannot be told any more. */
export async function shareText(deps: PpsDeps, { jobId, task }: TaskClaim): Promise<string> {
  try {
    const job = await deps.pfs.metadata.call("jobDetail", { id: jobId });
    if (job?.plan === undefined || job.info.transform.server !== undefined) return "";
    if (job.stages.length > 0) return `\nIts input: ${await stageText(deps, job, task)}`;
    const said: string[] = [];
    for (const [i, { name, view }] of (await sharesOf(deps, job, job.plan, task)).entries()) {
      const names = await firstFiles(deps, view);
      const more = names.length > namesMax ? " …" : "";
      said.push(
        `${name}/${job.inputs[i]!.commitId} (${names.slice(0, namesMax).join(", ")}${more})`,
      );
    }
    return said.length === 0 ? "" : `\nIts input: ${said.join("; ")}`;
  } catch {
    // The error of the task is what matters; its input may be why it failed.
    return "";
  }
}

async function firstFiles(deps: PpsDeps, spec: ViewSpec): Promise<string[]> {
  const view = await openView(deps.pfs, spec);
  const names: string[] = [];
  for await (const { path, entry } of view.below("")) {
    if (entry.type === "dir") continue;
    names.push(`/${path}`);
    if (names.length > namesMax) break;
  }
  return names;
}
