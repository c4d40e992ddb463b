import { codedErrorFrom, isCoded, type ErrorCode } from "../base/errors.ts";
import { randomHex } from "../base/random.ts";
import type { ParallelismSpec } from "../model/spec-schema.ts";
import type { JobDetail, JobPlan } from "../metadata/index.ts";
import { endOutput, openView } from "../pfs/index.ts";
import { inputView } from "./job-views.ts";
import { divideJob, type DividedJob, type UndividedJob } from "./divide-job.ts";
import type { DividedInput } from "./partition.ts";
import type { PpsDeps } from "./pps-deps.ts";
import { divideFiles, keptLines } from "./server-jobs.ts";
import { findReuse, isBaseGone, reusePlanOf } from "./reuse.ts";
import { stageTasks, type EndedTasks } from "./stage-tasks.ts";
import { startNextStage, startOfStages } from "./stages.ts";
import { countWorkers } from "./workers.ts";

/**
 * Starts a job whose predecessor has ended: opens its output commit and divides its inputs into
 * tasks. Does nothing while it waits, and nothing the second time.
 */
export async function startJob(deps: PpsDeps, id: string, signal: AbortSignal): Promise<void> {
  try {
    await divideAndStart(deps, id, signal);
  } catch (error) {
    if (!isCoded(error) || !hopeless.has(error.code)) throw error;
    await deps.pfs.metadata.call("failJob", {
      id,
      error: `its inputs cannot be read: ${error.message}`,
    });
    giveEndHints(deps, id);
  }
}

/** What does not get better by trying again: the job would stay for ever, and its line behind it. */
const hopeless: ReadonlySet<ErrorCode> = new Set([
  "not_found",
  "data_loss",
  "failed_precondition",
  "invalid_argument",
]);

async function divideAndStart(deps: PpsDeps, id: string, signal: AbortSignal): Promise<void> {
  const { metadata, hints, random } = deps.pfs;
  const job = await metadata.call("jobDetail", { id });
  if (job === undefined || job.waits || job.outputUid !== null || job.info.state !== "creating")
    return;
  const fromUids = job.inputs.map((input, i) => fromUidOf(job, input, i));
  const empty = job.inputs.some((input, i) => isEmptyInput(job, input, i));
  const inputs = dividedInputs(job, fromUids);
  const { server } = job.info.transform;
  const staged = await startOfStages(deps, job, signal);
  // What a server has answered before is looked for by file, what a mapper printed by split.
  const isWhole = empty || staged !== undefined || server !== undefined;
  const reuse = isWhole ? undefined : await findReuse(deps, job);
  const division: Division =
    empty || staged !== undefined
      ? {
          moduli: job.inputs.map(() => 1),
          tasks: staged?.stage.tasks ?? 0,
          entries: [],
          matched: [],
        }
      : await divide(deps, { job, inputs, fromUids, base: reuse?.base, signal });
  const { plan, ...reused } = reusePlanOf(job, reuse, division);
  await metadata.call("startJob", {
    id,
    outputUid: randomHex(random),
    newBranch: randomHex(random),
    parentUid: job.base?.outputUid,
    empty,
    tasks: division.tasks,
    entries: division.entries,
    ...reused,
    ...staged,
    plan: {
      ...plan,
      moduli: division.moduli,
      fromUids,
      ...(division.plan ?? { inputBytes: empty ? 0 : await shownBytes(deps, inputs) }),
    },
  });
  hints.give("tasks");
  hints.give("events");
  for (const topic of ["jobs", `job-progress:${id}`]) hints.give(topic);
}

/** The tasks of a job, and where what they are shown is not all that the views show, that too. */
type Division = DividedJob & {
  readonly plan?: Pick<JobPlan, "place"> & {
    readonly inputBytes: number;
    readonly linesPerTask: number;
  };
};

async function divide(deps: PpsDeps, whole: Omit<UndividedJob, "workers">): Promise<Division> {
  const workers = workersOf(await countWorkers(deps), whole.job.info.parallelismSpec);
  const { job, signal } = whole;
  const { server } = job.info.transform;
  if (server !== undefined) {
    const division = await divideFiles(deps, { job, server, workers }, signal);
    const { tasks, lines: _lines, listed: _listed, ...plan } = division;
    const entries = keptLines(division);
    return { moduli: [Math.max(1, tasks)], tasks, entries, matched: [], plan };
  }
  try {
    return await divideJob(deps, { ...whole, workers });
  } catch (error) {
    if (whole.base === undefined || !isBaseGone(error)) throw error;
    const facts = { job: whole.job.info.id, error: codedErrorFrom(error).message };
    deps.pfs.log.warn(facts, "An earlier job cannot be compared with: all tasks run");
    return await divideJob(deps, { ...whole, workers, base: undefined });
  }
}

async function shownBytes(deps: PpsDeps, inputs: readonly DividedInput[]): Promise<number> {
  let bytes = 0;
  for (const { view } of inputs) bytes += (await openView(deps.pfs, view)).tree.bytes;
  return bytes;
}

/** What is new starts after the commit that the predecessor saw (contract 3.5). */
function fromUidOf(job: JobDetail, input: JobDetail["inputs"][number], i: number): string | null {
  const before = job.base?.inputUids[i];
  return before === undefined || before === input.uid || input.method.incremental === "NONE"
    ? null
    : before;
}

/**
 * A commit that added nothing makes the job empty, unless earlier commits are still to be seen with it:
 * those that failed jobs, or no job at all, had for input.
 */
function isEmptyInput(job: JobDetail, input: JobDetail["inputs"][number], i: number): boolean {
  if (input.sizeBytes > 0 || input.runEmpty) return false;
  const before = job.base?.inputUids[i];
  if (before === undefined) return input.method.incremental === "NONE" || input.parentUid === null;
  return before === input.uid || before === input.parentUid;
}

function dividedInputs(job: JobDetail, fromUids: readonly (string | null)[]): DividedInput[] {
  return job.inputs.map((input, i) => ({
    view: inputView(input, fromUids[i] ?? null),
    partition: input.method.partition,
    sizeBytes: input.sizeBytes,
    isFixed: input.sizeBytes === 0 && input.runEmpty,
  }));
}

/** A constant of 0 means one per slot; a coefficient counts machines. */
export function workersOf(
  there: { readonly machines: number; readonly slots: number },
  spec: ParallelismSpec,
): number {
  if (spec.strategy === "COEFFICIENT")
    return Math.max(1, Math.floor(spec.coefficient * there.machines));
  return spec.constant === 0 ? there.slots : spec.constant;
}

/**
 * Ends a job all of whose tasks have ended: the outputs of the last attempts become one delta of the
 * output commit, in task order, so the result is the same whatever died on the way. The commit of a
 * failed job is cancelled, and stays readable by id with what its other tasks wrote.
 */
export async function publishJob(deps: PpsDeps, id: string, signal: AbortSignal): Promise<void> {
  const { metadata } = deps.pfs;
  const ended = await metadata.call("taskOutputs", { jobId: id });
  const { outputUid, error, hasStages } = ended;
  // The event of a stage may come again when the next one goes on.
  if (outputUid === null || ended.tasksLeft > 0) return;
  try {
    const next =
      error === undefined && hasStages ? await nextStage(deps, id, signal) : { hasBegun: false };
    if (next.hasBegun) return;
    const problem = error ?? next.problem;
    const told = problem === undefined ? {} : { error: problem };
    const conflict = await stage(deps, id, { ...ended, ...told, outputUid });
    const failure = problem ?? conflict;
    if (failure !== undefined) await metadata.call("noteJobError", { id, error: failure });
    const how = failure === undefined ? "finish" : "cancel";
    await endOutput(deps.pfs, { uid: outputUid, jobId: id, how }, signal);
  } catch (error) {
    // The repo of the output was deleted: trying again would keep the job for ever.
    if (!isCoded(error, "not_found")) throw error;
    await metadata.call("failJob", { id, error: error.message });
  }
  giveEndHints(deps, id);
}

/** Begins another stage, if there is one and it can begin. */
async function nextStage(
  deps: PpsDeps,
  id: string,
  signal: AbortSignal,
): Promise<{ hasBegun: boolean; problem?: string }> {
  try {
    return { hasBegun: await startNextStage(deps, id, signal) };
  } catch (error) {
    if (!isCoded(error) || !hopeless.has(error.code)) throw error;
    return { hasBegun: false, problem: `its next stage cannot begin: ${error.message}` };
  }
}

function giveEndHints(deps: PpsDeps, id: string): void {
  deps.pfs.hints.give("events");
  deps.pfs.hints.give("jobs");
  for (const topic of [`job-progress:${id}`, `ended:${id}`]) deps.pfs.hints.give(topic);
}

/** Stages what the tasks wrote; gives back why that cannot be a commit, if so. */
async function stage(deps: PpsDeps, id: string, ended: EndedTasks): Promise<string | undefined> {
  try {
    await stageTasks(deps, id, ended);
  } catch (error) {
    // A commit that closed meanwhile has been published by another daemon.
    const conflicts =
      isCoded(error, "failed_precondition") && error.details["reason"] !== "commit_finished";
    if (conflicts) return error.message;
    if (!isCoded(error, "failed_precondition")) throw codedErrorFrom(error);
  }
  return undefined;
}
