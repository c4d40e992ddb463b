import type { Clock } from "../base/clock.ts";
import type { Runner, RunOutcome, RunSpec, SecretMount } from "../runner/index.ts";
import type { Stage } from "./stage-inputs.ts";
import type { TaskLog } from "./task-log.ts";
import type { ClaimedTask, TaskOutcome } from "./worker-host.ts";

/** Runs a task's command on its stage. Ends the log with how the command failed, if it did. */
export async function runUserCode(
  options: {
    runner: Runner;
    clock: Clock;
    taskLog: TaskLog;
    hidden: readonly string[];
    secrets: readonly SecretMount[];
  },
  task: ClaimedTask,
  stage: Stage,
  signal: AbortSignal,
): Promise<TaskOutcome> {
  const { taskLog, hidden, secrets } = options;
  const spec = {
    id: `${task.jobId}-${task.task}-${task.attempt}`,
    image: task.image,
    cmd: task.cmd,
    env: task.env,
    stdin: Buffer.from(task.stdin.map((line) => `${line}\n`).join("")),
    mounts: stage.mounts,
    ...(secrets.length === 0 ? {} : { secrets }),
    hidden,
  };
  const ended = await runInTime(options, task, spec, signal);
  await taskLog.end();
  if (
    ended.kind === "exited" &&
    (ended.exitCode === 0 || task.acceptReturnCode.includes(ended.exitCode))
  ) {
    return { kind: "success" };
  }
  const how = describe(ended);
  taskLog.note(`Error from exec: ${how}`);
  const lines = [how, taskLog.tail(), hintOf(task, ended)].filter((line) => line !== "");
  return {
    kind: "failure",
    error: lines.join("\n"),
    ...(ended.kind === "exited" ? { exitCode: ended.exitCode } : {}),
  };
}

type Ended = RunOutcome | { readonly kind: "timed_out"; readonly afterMs: number };

async function runInTime(
  { runner, clock, taskLog }: { runner: Runner; clock: Clock; taskLog: TaskLog },
  { timeoutMs = 0 }: ClaimedTask,
  spec: RunSpec,
  signal: AbortSignal,
): Promise<Ended> {
  const output = async (piece: Uint8Array): Promise<void> => await taskLog.write(piece);
  if (timeoutMs === 0) return await runner.run(spec, { signal, output });
  const overdue = new AbortController();
  const ended = new AbortController();
  const watch = clock.sleep(timeoutMs, AbortSignal.any([signal, ended.signal])).then(
    () => overdue.abort(),
    () => undefined,
  );
  try {
    return await runner.run(spec, { signal: AbortSignal.any([signal, overdue.signal]), output });
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

function describe(ended: Ended): string {
  switch (ended.kind) {
    case "exited":
      return `exit status ${ended.exitCode}`;
    case "signalled":
      return ended.signal === "SIGKILL"
        ? "signal SIGKILL (perhaps the machine ran out of memory)"
        : `signal ${ended.signal}`;
    case "timed_out":
      return `timed out: killed after ${ended.afterMs / 1_000} s (taskTimeout)`;
    case "not_started":
      return ended.reason;
  }
}
