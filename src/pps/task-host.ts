import { CodedError } from "../base/errors.ts";
import {
  heldTaskOf,
  wholeFile,
  type ByteRange,
  type ClaimedTask,
  type DirectoryPage,
  type HeldTask,
  type TaskOutcome,
  type ViewFile,
  type ViewRef,
} from "../model/claimed-task.ts";
import type { Demands } from "../model/demands.ts";
import type { OutputChange } from "../model/output-change.ts";
import type { WorkerFacts } from "../model/worker.ts";
import { appendTaskLog } from "./logs.ts";
import { KnownJobs } from "./known-jobs.ts";
import type { PpsDeps } from "./pps-deps.ts";
import { RecentViews } from "./recent-views.ts";
import {
  claimTasks,
  inputsFailed,
  releaseTask,
  renewTask,
  reportTask,
  storeTaskOutput,
  taskLeaseMs,
  unclaim,
  type Assignment,
} from "./tasks.ts";

/** A claim, as a worker on another machine makes it. */
export interface ClaimRequest {
  readonly worker: string;
  readonly count: number;
  readonly signal: AbortSignal;
  /** Fence the tasks: one for each, which nobody else can guess. Default: made here. */
  readonly tokens?: readonly string[];
  /** Waits so long for a task when there is none. Default: not at all. */
  readonly waitMs?: number;
}

/** Jobs whose output is remembered: the worker of a task stores its output where it was claimed, most times. */
const outputsMax = 1_024;

/**
 * All that workers ask of the rest: claims, inputs, outputs, logs, reports. The worker inside a daemon calls it
 * as it is, those on other machines through the API. Knows nothing that a task's token does not say, so any
 * daemon answers for a task that another one gave out.
 */
export class TaskHost {
  private readonly pps: PpsDeps;
  private readonly views: RecentViews;
  private readonly jobs: KnownJobs;
  /** By job, the oldest first. */
  private readonly outputUids = new Map<string, string>();

  constructor(pps: PpsDeps) {
    this.pps = pps;
    this.views = new RecentViews(pps);
    this.jobs = new KnownJobs(pps);
  }

  /** Says that a worker is here; gives back the tokens of tasks that it holds no more. */
  async keep(facts: WorkerFacts, tokens: readonly string[]): Promise<string[]> {
    return await this.pps.pfs.metadata.call("keepWorker", { facts, tokens });
  }

  /** Says that a worker goes. */
  async leave({ id }: Pick<WorkerFacts, "id">): Promise<void> {
    await this.pps.pfs.metadata.call("forgetWorker", { id });
  }

  /** Takes tasks for a worker. Those that it does not get any more, because the signal fired, are not taken. */
  async claim(request: ClaimRequest): Promise<ClaimedTask[]> {
    const { signal, waitMs = 0 } = request;
    if (waitMs === 0) return await this.claimNow(request);
    const { clock, hints } = this.pps.pfs;
    const endMs = clock.monotonicMs() + waitMs;
    const check = async (): Promise<ClaimedTask[] | undefined> => {
      const tasks = await this.claimNow(request);
      return tasks.length > 0 || clock.monotonicMs() >= endMs ? tasks : undefined;
    };
    return await hints.until("tasks", check, { clock, signal });
  }

  /** Gives tasks back whose worker never learned that it had them. */
  async unclaim(tokens: readonly string[]): Promise<void> {
    if (tokens.length > 0) await unclaim(this.pps, tokens);
  }

  /** Prolongs the lease of a task. @throws CodedError `aborted` when it is lost */
  async renew(task: HeldTask): Promise<void> {
    await renewTask(this.pps, heldTaskOf(task));
  }

  /** The files and directories of a view, in path order (parents before children). */
  async *listView(ref: ViewRef, signal: AbortSignal): AsyncGenerator<ViewFile, void, void> {
    const view = await this.views.open(ref);
    for await (const file of view.below("")) {
      signal.throwIfAborted();
      yield view.told(file);
    }
  }

  /** Files and directories that lie directly in a directory of a view. */
  async listDirectory(
    ref: Pick<ViewRef, "token">,
    { directory, after, count }: DirectoryPage,
    signal: AbortSignal,
  ): Promise<ViewFile[]> {
    const view = await this.views.open(ref);
    const files: ViewFile[] = [];
    for await (const file of view.children(directory, after)) {
      signal.throwIfAborted();
      if (files.length >= count) break;
      files.push(view.told(file));
    }
    return files;
  }

  /** A file or directory of a view; undefined when the view shows none there. */
  async findFile(ref: Pick<ViewRef, "token">, path: string): Promise<ViewFile | undefined> {
    const view = await this.views.open(ref);
    const file = await view.find(path);
    return file === undefined ? undefined : view.told(file);
  }

  /** The content of a file of a view, as the view shows it. */
  async *readFile(
    ref: ViewRef,
    path: string,
    signal: AbortSignal,
    range: ByteRange = wholeFile,
  ): AsyncGenerator<Uint8Array, void, void> {
    const file = await this.openFile(ref, path);
    yield* file.read(range, signal);
  }

  /** A file of a view: how long it is, and its bytes from any place. */
  async openFile(
    ref: Pick<ViewRef, "token">,
    path: string,
  ): Promise<{
    bytes: number;
    read(range: ByteRange, signal: AbortSignal): AsyncIterable<Buffer>;
  }> {
    const view = await this.views.open(ref);
    const file = await view.find(path);
    if (file === undefined)
      throw new CodedError("not_found", `There is no file "${path}" in the view of this task`);
    const { bytes } = file;
    return {
      bytes,
      read: ({ start, end }, signal) =>
        view.read(file, { start, end: Math.min(end, bytes) }, signal),
    };
  }

  /** Stores what a task did to its output; it counts only if the task is then reported as a success. */
  async writeOutput(
    task: HeldTask,
    changes: () => AsyncIterable<OutputChange>,
    signal: AbortSignal,
  ): Promise<void> {
    const outputUid = this.outputUids.get(task.jobId) ?? (await this.outputOf(task));
    const all = changes()[Symbol.asyncIterator]();
    try {
      const first = await all.next();
      // Nothing is what is stored already.
      if (first.done === true) return;
      const claim = heldTaskOf(task);
      await storeTaskOutput(this.pps, { claim, outputUid }, withFirst(first.value, all), signal);
    } finally {
      await all.return?.();
    }
  }

  /** Adds to the log of an attempt what stands at `offset` of it; what is there already is left. */
  async appendLog(task: HeldTask, offset: number, bytes: Uint8Array): Promise<void> {
    await appendTaskLog(this.pps, heldTaskOf(task), { offset, bytes: Buffer.from(bytes) });
  }

  /** Ends an attempt. */
  async report(task: HeldTask, outcome: TaskOutcome): Promise<void> {
    const held = heldTaskOf(task);
    if (outcome.kind === "success") await reportTask(this.pps, held, undefined, outcome);
    else await reportTask(this.pps, held, outcome.error, outcome);
  }

  /** Hands a task back, for another worker to take at once. */
  async release(task: HeldTask): Promise<void> {
    await releaseTask(this.pps, heldTaskOf(task));
  }

  private async claimNow(request: ClaimRequest): Promise<ClaimedTask[]> {
    request.signal.throwIfAborted();
    const { worker, count, tokens } = request;
    const wanted = { worker, count, ...(tokens === undefined ? {} : { tokens }) };
    const tasks: ClaimedTask[] = [];
    for (const assignment of await claimTasks(this.pps, wanted, this.jobs)) {
      try {
        tasks.push(await this.claimed(assignment));
      } catch (error) {
        await inputsFailed(this.pps, assignment.claim, error);
      }
    }
    if (!request.signal.aborted) return tasks;
    await this.unclaim(tasks.map(({ token }) => token));
    throw request.signal.reason;
  }

  private async claimed(assignment: Assignment): Promise<ClaimedTask> {
    const { claim, transform, inputs, parentOutput } = assignment;
    this.remember(claim.jobId, assignment.outputUid);
    const shown: ClaimedTask["inputs"][number][] = [];
    for (const input of inputs) shown.push({ ...input, view: await this.views.refOf(input.view) });
    return {
      ...claim,
      leaseMs: taskLeaseMs,
      image: transform.image,
      cmd: transform.cmd,
      env: assignment.env,
      stdin: transform.stdin,
      acceptReturnCode: transform.acceptReturnCode,
      secrets: transform.secrets,
      timeoutMs: assignment.timeoutMs,
      demands: demandsIn(transform),
      ...(assignment.work === undefined ? {} : { work: assignment.work }),
      inputs: shown,
      ...(assignment.server === undefined ? {} : { server: assignment.server }),
      ...(parentOutput === undefined ? {} : { parentOutput: await this.views.refOf(parentOutput) }),
    };
  }

  /** Where a task that another daemon gave out writes to. */
  private async outputOf(task: HeldTask): Promise<string> {
    const job = await this.pps.pfs.metadata.call("jobDetail", { id: task.jobId });
    const outputUid = job?.outputUid ?? undefined;
    if (outputUid === undefined)
      throw new CodedError("aborted", `Job ${task.jobId} is gone, and its tasks with it`);
    this.remember(task.jobId, outputUid);
    return outputUid;
  }

  private remember(jobId: string, outputUid: string): void {
    this.outputUids.delete(jobId);
    this.outputUids.set(jobId, outputUid);
    for (const oldest of this.outputUids.keys()) {
      if (this.outputUids.size <= outputsMax) break;
      this.outputUids.delete(oldest);
    }
  }
}

/** What was looked at already, and the rest. */
async function* withFirst<T>(first: T, rest: AsyncIterator<T>): AsyncGenerator<T, void, void> {
  yield first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

function demandsIn({ user, workingDir, resources, network }: Demands): Demands {
  return {
    ...(user === undefined ? {} : { user }),
    ...(workingDir === undefined ? {} : { workingDir }),
    ...(resources === undefined ? {} : { resources }),
    ...(network === undefined ? {} : { network }),
  };
}
