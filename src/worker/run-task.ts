import { codedErrorFrom, isCoded } from "../base/errors.ts";
import { removeTree } from "../base/remove-tree.ts";
import type { OutputChange } from "../model/output-change.ts";
import type { ServerWork } from "../model/server-work.ts";
import type { SecretMount } from "../runner/index.ts";
import { collectOutput } from "./collect-output.ts";
import { collectWritten } from "./collect-written.ts";
import { startHeartbeat } from "./heartbeat.ts";
import { tellLazy, withFailure } from "./lazy-inputs.ts";
import type { LazyViews } from "./lazy-views.ts";
import { runStage } from "./run-stage.ts";
import {
  runServerTask,
  type ServerOutcome,
  type ServerTaskOptions,
} from "./server/run-server-task.ts";
import { runSpecOf, runUserCode } from "./run-user-code.ts";
import { stageInputs } from "./stage-inputs.ts";
import { stageSecrets } from "./stage-secrets.ts";
import { storeOutput } from "./store-output.ts";
import { TaskLog } from "./task-log.ts";
import { untilAvailable } from "./until-available.ts";
import type { ViewStore } from "./view-store.ts";
import type { ClaimedTask, TaskOutcome } from "./worker-host.ts";
import type { WorkerOptions } from "./worker-options.ts";

/** Where a worker keeps what it shows to tasks. */
interface Views {
  readonly views: ViewStore;
  readonly lazyViews?: LazyViews | undefined;
}

/** One attempt in the worker's hands. */
export interface Attempt {
  readonly task: ClaimedTask;
  /** Monotonic time before the claim was sent. */
  readonly claimedAtMs: number;
  /** Directory of this attempt alone; not there yet. */
  readonly directory: string;
}

/**
 * Runs one task: stage inputs, run the user's code, collect its output, report. Everything that goes
 * wrong on the way is reported as a failure of the attempt, but for two cases, in which the task is handed
 * back: the lease is lost, and the signal fires. Leaves nothing on disk.
 */
export async function runTask(
  options: WorkerOptions & Views,
  attempt: Attempt,
  signal: AbortSignal,
): Promise<void> {
  const { clock, fs, host, log } = options;
  const { task, directory } = attempt;
  const heartbeat = startHeartbeat(options, task, attempt.claimedAtMs);
  const either = AbortSignal.any([signal, heartbeat.lost]);
  try {
    const outcome = await outcomeOf(options, attempt, either);
    await untilAvailable(async () => await host.report(task, outcome), { clock, signal: either });
  } catch (error) {
    const { message } = codedErrorFrom(error);
    log.warn(
      { job: task.jobId, task: task.task, attempt: task.attempt, error: message },
      "A task was given up",
    );
    // The command is dead, so another worker need not wait for the lease. One that is lost may be somebody
    // else's by now: then nothing happens.
    await host.release(task).catch(() => undefined);
  } finally {
    heartbeat.stop();
    await removeFiles(fs, directory).catch((error: Error) => {
      log.warn({ directory, error: error.message }, "Cannot remove the files of a task");
    });
  }
}

/** Most tasks that wrote nothing leave an empty directory in an empty one. */
async function removeFiles(fs: WorkerOptions["fs"], directory: string): Promise<void> {
  try {
    await fs.rmdir(`${directory}/out`);
    await fs.rmdir(directory);
  } catch {
    await removeTree(fs, directory);
  }
}

async function outcomeOf(
  options: WorkerOptions & Views,
  { task, directory }: Attempt,
  signal: AbortSignal,
): Promise<TaskOutcome> {
  const { clock, fs } = options;
  const taskLog = new TaskLog(options, task, signal);
  try {
    const secrets = await stageSecrets(
      { fs, source: options.secrets, directory: `${directory}/secrets` },
      task,
    );
    taskLog.hide(secrets.values);
    if (task.work !== undefined) {
      const part = { task, work: task.work, directory };
      const { stage, facts } = await runStage(
        { ...options, taskLog, secrets: secrets.mounts },
        part,
        signal,
      );
      const changes = (): AsyncIterable<OutputChange> => collectOutput(fs, stage, signal);
      return { kind: "success", facts, ...(await storeOutput(options, task, changes, signal)) };
    }
    if (task.server !== undefined) {
      const more = { taskLog, secretMounts: secrets.mounts, directory: `${directory}/out` };
      return await serveTask({ ...options, ...more }, { task, work: task.server }, signal);
    }
    const note = (line: string): void => taskLog.note(line);
    const stage = await untilAvailable(
      async () => await stageInputs({ ...options, ...placesOf(directory), note }, task, signal),
      { clock, signal },
    );
    try {
      const hidden = [...options.hidden, options.scratch];
      const ended = await runUserCode(
        { ...options, taskLog, hidden, secrets: secrets.mounts },
        task,
        stage,
        signal,
      );
      const unread = await tellLazy(stage.lazy, note);
      if (unread !== undefined) return withFailure(ended, unread);
      if (ended.kind === "success") {
        const { output } = stage;
        const changes = (): AsyncIterable<OutputChange> =>
          output === undefined
            ? collectOutput(fs, stage, signal)
            : collectWritten(output.look(signal), signal);
        return { ...ended, ...(await storeOutput(options, task, changes, signal)) };
      }
      return ended;
    } finally {
      await stage.release();
    }
  } catch (error) {
    signal.throwIfAborted();
    if (isCoded(error, "aborted")) throw error;
    const { message, details } = codedErrorFrom(error);
    taskLog.note(`Error: ${message}`);
    const isFinal = details["reason"] === "input_changed";
    return { kind: "failure", error: taskLog.hidden(message), ...(isFinal ? { isFinal } : {}) };
  } finally {
    await taskLog.close();
  }
}

/** Where an attempt keeps what its command writes. */
function placesOf(directory: string): { readonly out: string; readonly written: string } {
  return { out: `${directory}/out`, written: `${directory}/written` };
}

/** The work of a task whose command is a server. */
async function serveTask(
  options: ServerTaskOptions &
    Pick<WorkerOptions, "hidden" | "places" | "scratch"> & {
      readonly secretMounts: readonly SecretMount[];
    },
  { task, work }: { task: ClaimedTask; work: ServerWork },
  signal: AbortSignal,
): Promise<TaskOutcome> {
  const hidden = [...options.hidden, options.scratch];
  const spec = runSpecOf(task, { mounts: [], secrets: options.secretMounts, hidden });
  const run = async (): Promise<ServerOutcome> =>
    await runServerTask(options, { spec, task, work }, signal);
  const ended = await (options.places === undefined ? run() : options.places.run(run, signal));
  if (ended.kind === "failure") return ended;
  const changes = (): AsyncIterable<OutputChange> => ended.answers.changes(work.gone);
  return { kind: "success", ...(await storeOutput(options, task, changes, signal)) };
}
