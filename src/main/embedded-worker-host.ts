import { codedErrorFrom } from "../base/errors.ts";
import { present } from "../base/assert.ts";
import { openView, type View, type ViewSpec } from "../pfs/index.ts";
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
  const assignmentOf = (task: ClaimedTask): Assignment =>
    present(held.get(task.token), `assignment of task ${task.task} of job ${task.jobId}`);
  return {
    async claim({ worker, count, signal }) {
      signal.throwIfAborted();
      const tasks: ClaimedTask[] = [];
      for (const assignment of await claimTasks(pps, { worker, count })) {
        held.set(assignment.claim.token, assignment);
        try {
          tasks.push(await claimedTask(pps, assignment));
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
      const view = await viewOf(pps, ref);
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
      const view = await viewOf(pps, ref);
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

async function claimedTask(pps: PpsDeps, assignment: Assignment): Promise<ClaimedTask> {
  const { claim, transform, inputs, parentOutput } = assignment;
  const shown: ClaimedTask["inputs"][number][] = [];
  for (const input of inputs) shown.push({ name: input.name, view: await refOf(pps, input.view) });
  return {
    ...claim,
    leaseMs: taskLeaseMs,
    image: transform.image,
    cmd: transform.cmd,
    env: assignment.env,
    stdin: transform.stdin,
    acceptReturnCode: transform.acceptReturnCode,
    inputs: shown,
    ...(parentOutput === undefined ? {} : { parentOutput: await refOf(pps, parentOutput) }),
  };
}

async function refOf(pps: PpsDeps, spec: ViewSpec): Promise<ViewRef> {
  return { digest: (await openView(pps.pfs, spec)).digest, token: JSON.stringify(spec) };
}

async function viewOf(pps: PpsDeps, ref: ViewRef): Promise<View> {
  return await openView(pps.pfs, JSON.parse(ref.token) as ViewSpec);
}
