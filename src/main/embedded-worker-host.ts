import { codedErrorFrom } from "../base/errors.ts";
import { present } from "../base/assert.ts";
import { openView, type ViewSpec } from "../pfs/index.ts";
import {
  appendTaskLog,
  claimTasks,
  releaseTask,
  renewTask,
  reportTask,
  storeTaskOutput,
  taskLeaseMs,
  type Assignment,
  type PpsDeps,
} from "../pps/index.ts";
import type { ClaimedTask, ViewFile, ViewRef, WorkerHost } from "../worker/index.ts";

/** A host that also takes tasks back when the daemon stops. */
export interface EmbeddedWorkerHost extends WorkerHost {
  /** Gives a task back that ended neither way; does nothing for one that was reported. */
  release(task: ClaimedTask): Promise<void>;
}

/** The worker of a daemon talks straight to pps and pfs: no loopback, no copies. */
export function embeddedWorkerHost(pps: PpsDeps): EmbeddedWorkerHost {
  const held = new Map<string, Assignment>();
  const views = new RecentViews(pps);
  const assignmentOf = (task: ClaimedTask): Assignment =>
    present(held.get(task.token), `assignment of task ${task.task} of job ${task.jobId}`);
  return {
    async claim({ worker, count, signal }) {
      signal.throwIfAborted();
      const tasks: ClaimedTask[] = [];
      for (const assignment of await claimTasks(pps, { worker, count })) {
        held.set(assignment.claim.token, assignment);
        try {
          tasks.push(await claimedTask(views, assignment));
        } catch (error) {
          held.delete(assignment.claim.token);
          await reportTask(
            pps,
            assignment.claim,
            `its inputs cannot be read: ${codedErrorFrom(error).message}`,
          );
        }
      }
      return tasks;
    },
    async renew(task) {
      await renewTask(pps, assignmentOf(task).claim);
    },
    async *listView(ref, signal) {
      const view = await views.open(ref);
      for await (const file of view.below("")) {
        signal.throwIfAborted();
        yield {
          path: file.path,
          type: file.entry.type === "dir" ? "dir" : "file",
          bytes: file.bytes,
          digest: view.digestOf(file),
        } satisfies ViewFile;
      }
    },
    async *readFile(ref, path, signal) {
      const view = await views.open(ref);
      const file = present(await view.find(path), `file /${path} of a view`);
      yield* view.read(file, { start: 0, end: file.bytes }, signal);
    },
    async writeOutput(task, changes, signal) {
      await storeTaskOutput(pps, assignmentOf(task), changes, signal);
    },
    async appendLog(task, bytes) {
      await appendTaskLog(pps, assignmentOf(task).claim, Buffer.from(bytes));
    },
    async report(task, outcome) {
      await reportTask(
        pps,
        assignmentOf(task).claim,
        outcome.kind === "success" ? undefined : outcome.error,
      );
      held.delete(task.token);
    },
    async release(task) {
      const assignment = held.get(task.token);
      held.delete(task.token);
      // A lease lost meanwhile belongs to somebody else.
      if (assignment !== undefined) await releaseTask(pps, assignment.claim).catch(() => undefined);
    },
  };
}

async function claimedTask(views: RecentViews, assignment: Assignment): Promise<ClaimedTask> {
  const { claim, transform, inputs, parentOutput } = assignment;
  const shown: ClaimedTask["inputs"][number][] = [];
  for (const input of inputs) shown.push({ name: input.name, view: await views.refOf(input.view) });
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
    demands: transform,
    inputs: shown,
    ...(parentOutput === undefined ? {} : { parentOutput: await views.refOf(parentOutput) }),
  };
}

/** Views of finished commits never change; one that folds many deltas is worth keeping. */
const viewsMax = 8;

type View = Awaited<ReturnType<typeof openView>>;

class RecentViews {
  private readonly pps: PpsDeps;
  private readonly views = new Map<string, Promise<View>>();

  constructor(pps: PpsDeps) {
    this.pps = pps;
  }

  /** The view of a token, opened when it was not used lately. */
  async open({ token }: ViewRef): Promise<View> {
    const { top, ...spec } = JSON.parse(token) as ViewSpec;
    // Of an input with a task for each entry, all tasks share what is costly to open.
    const whole = await this.openWhole(JSON.stringify(spec));
    return top === undefined ? whole : whole.only(top);
  }

  private async openWhole(token: string): Promise<View> {
    const known = this.views.get(token);
    const view = known ?? openView(this.pps.pfs, JSON.parse(token) as ViewSpec);
    this.views.delete(token);
    this.views.set(token, view);
    for (const oldest of this.views.keys()) {
      if (this.views.size <= viewsMax) break;
      this.views.delete(oldest);
    }
    try {
      return await view;
    } catch (error) {
      this.views.delete(token);
      throw error;
    }
  }

  /** What a worker is given to name a view. */
  async refOf(spec: ViewSpec): Promise<ViewRef> {
    const token = JSON.stringify(spec);
    const view = await this.open({ token, digest: "" });
    return { digest: view.digest, token };
  }
}
