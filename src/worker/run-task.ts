import { codedErrorFrom, isCoded } from "../base/errors.ts";
import { removeTree } from "../base/remove-tree.ts";
import type { OutputChange } from "../model/output-change.ts";
import { collectOutput } from "./collect-output.ts";
import { startHeartbeat } from "./heartbeat.ts";
import { runUserCode } from "./run-user-code.ts";
import { stageInputs } from "./stage-inputs.ts";
import { stageSecrets } from "./stage-secrets.ts";
import { TaskLog } from "./task-log.ts";
import { untilAvailable } from "./until-available.ts";
import type { ViewStore } from "./view-store.ts";
import type { ClaimedTask, TaskOutcome } from "./worker-host.ts";
import type { WorkerOptions } from "./worker-options.ts";

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
  options: WorkerOptions & { readonly views: ViewStore },
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
  options: WorkerOptions & { readonly views: ViewStore },
  { task, directory }: Attempt,
  signal: AbortSignal,
): Promise<TaskOutcome> {
  const { clock, fs, host, views } = options;
  const taskLog = new TaskLog(options, task, signal);
  try {
    const secrets = await stageSecrets(
      { fs, source: options.secrets, directory: `${directory}/secrets` },
      task,
    );
    taskLog.hide(secrets.values);
    const stage = await untilAvailable(
      async () => await stageInputs({ fs, views, out: `${directory}/out` }, task, signal),
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
      if (ended.kind === "success") {
        let hasOutput = false;
        const changes = (): AsyncIterable<OutputChange> =>
          noting(collectOutput(fs, stage, signal), () => (hasOutput = true));
        const store = async (): Promise<void> => await host.writeOutput(task, changes, signal);
        await untilAvailable(store, { clock, signal });
        if (hasOutput) return { ...ended, hasOutput };
      }
      return ended;
    } finally {
      stage.release();
    }
  } catch (error) {
    signal.throwIfAborted();
    if (isCoded(error, "aborted")) throw error;
    const { message } = codedErrorFrom(error);
    taskLog.note(`Error: ${message}`);
    return { kind: "failure", error: taskLog.hidden(message) };
  } finally {
    await taskLog.close();
  }
}

/** Says of each as it passes. */
async function* noting<T>(
  items: AsyncIterable<T>,
  note: () => void,
): AsyncGenerator<T, void, void> {
  for await (const item of items) {
    note();
    yield item;
  }
}
