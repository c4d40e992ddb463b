import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Demands } from "../model/demands.ts";
import type { PfsMount, Runner, RunOptions, RunSpec, SecretMount } from "../runner/index.ts";
import { describeEnd, type Ended } from "./describe-end.ts";
import type { Places } from "./places.ts";
import type { Stage } from "./stage-inputs.ts";
import type { TaskLog } from "./task-log.ts";
import type { ClaimedTask, TaskOutcome } from "./worker-host.ts";

/** Runs a task's command on its stage. Ends the log with how the command failed, if it did. */
export async function runUserCode(
  options: {
    runner: Runner;
    clock: Clock;
    taskLog: TaskLog;
    log: Log;
    hidden: readonly string[];
    secrets: readonly SecretMount[];
    places?: Places;
  },
  task: ClaimedTask,
  stage: Stage,
  signal: AbortSignal,
): Promise<TaskOutcome> {
  const { taskLog, log } = options;
  const { jobId, attempt } = task;
  const spec = runSpecOf(task, { ...options, ...stage });
  let image: string | undefined;
  const run = async (): Promise<Ended> =>
    await runInTime(options, task, spec, {
      signal,
      output: async (piece) => await taskLog.write(piece),
      imageResolved: (digest) => {
        image = digest;
        log.debug({ job: jobId, task: task.task, attempt, image: task.image, digest }, "Image");
      },
    });
  const ended = await (options.places === undefined ? run() : options.places.run(run, signal));
  await taskLog.end();
  if (
    ended.kind === "exited" &&
    (ended.exitCode === 0 || task.acceptReturnCode.includes(ended.exitCode))
  ) {
    return { kind: "success", ...(image === undefined ? {} : { image }) };
  }
  const how = describeEnd(ended);
  taskLog.note(`Error from exec: ${how}`);
  const lines = [how, taskLog.tail(), hintOf(task, ended)].filter((line) => line !== "");
  return {
    kind: "failure",
    error: lines.join("\n"),
    ...(ended.kind === "exited" ? { exitCode: ended.exitCode } : {}),
  };
}

/** What is run for a task. */
export function runSpecOf(
  task: ClaimedTask,
  shown: {
    mounts: readonly PfsMount[];
    secrets: readonly SecretMount[];
    hidden: readonly string[];
    mountPoint?: string | undefined;
  },
): RunSpec {
  const { mounts, secrets, hidden, mountPoint } = shown;
  return {
    id: `${task.jobId}-${task.task}-${task.attempt}`,
    // The tasks of a job are one user's program on one user's data.
    group: mountPoint === undefined ? task.jobId : `${task.jobId} ${mountPoint}`,
    image: task.image,
    cmd: task.cmd,
    env: task.env,
    stdin: Buffer.from(task.stdin.map((line) => `${line}\n`).join("")),
    mounts,
    ...(secrets.length === 0 ? {} : { secrets }),
    hidden,
    ...demanded(task.demands ?? {}),
  };
}

/** Runs a command, and kills it when it runs for longer than its task may. */
export async function runInTime(
  { runner, clock }: { runner: Runner; clock: Clock },
  { timeoutMs = 0 }: ClaimedTask,
  spec: RunSpec,
  options: RunOptions,
): Promise<Ended> {
  if (timeoutMs === 0) return await runner.run(spec, options);
  const { signal } = options;
  const overdue = new AbortController();
  const ended = new AbortController();
  const watch = clock.sleep(timeoutMs, AbortSignal.any([signal, ended.signal])).then(
    () => overdue.abort(),
    () => undefined,
  );
  try {
    const either = AbortSignal.any([signal, overdue.signal]);
    return await runner.run(spec, { ...options, signal: either });
  } catch (error) {
    if (signal.aborted || !overdue.signal.aborted) throw error;
    return { kind: "timed_out", afterMs: timeoutMs };
  } finally {
    ended.abort();
    await watch;
  }
}

const shells = /^(.*\/)?(ash|bash|dash|ksh|sh|zsh)$/;

/** What to do about a failure that is often none. */
function hintOf({ cmd, stdin }: ClaimedTask, ended: Ended): string {
  const script = [...cmd, ...stdin].join("\n");
  const isGrep = shells.test(cmd[0] ?? "") && /\bgrep\b/.test(script);
  if (ended.kind !== "exited" || ended.exitCode !== 1 || !isGrep) return "";
  return "grep ends with 1 when it finds nothing: if that is all right, set transform.acceptReturnCode: [1]";
}

/** What a user asked for, as a runner is told it. */
export function demanded({ user, workingDir, resources, network }: Demands): Partial<RunSpec> {
  const limits = {
    ...(resources?.cpu === undefined ? {} : { cpus: resources.cpu }),
    ...(resources?.memoryBytes === undefined ? {} : { memoryBytes: resources.memoryBytes }),
  };
  return {
    ...(user === undefined ? {} : { user }),
    ...(workingDir === undefined ? {} : { workingDir }),
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
    ...(network === undefined ? {} : { network }),
  };
}
