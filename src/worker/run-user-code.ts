import type { Runner, RunOutcome } from "../runner/index.ts";
import type { Stage } from "./stage-inputs.ts";
import type { TaskLog } from "./task-log.ts";
import type { ClaimedTask, TaskOutcome } from "./worker-host.ts";

/** Runs a task's command on its stage. Ends the log with how the command failed, if it did. */
export async function runUserCode(
  options: { runner: Runner; taskLog: TaskLog; hidden: readonly string[] },
  task: ClaimedTask,
  stage: Stage,
  signal: AbortSignal,
): Promise<TaskOutcome> {
  const { runner, taskLog, hidden } = options;
  const spec = {
    id: `${task.jobId}-${task.task}-${task.attempt}`,
    image: task.image,
    cmd: task.cmd,
    env: task.env,
    stdin: Buffer.from(task.stdin.map((line) => `${line}\n`).join("")),
    mounts: stage.mounts,
    hidden,
  };
  const ended = await runner.run(spec, {
    signal,
    output: async (piece) => await taskLog.write(piece),
  });
  if (
    ended.kind === "exited" &&
    (ended.exitCode === 0 || task.acceptReturnCode.includes(ended.exitCode))
  ) {
    return { kind: "success" };
  }
  const how = describe(ended);
  taskLog.note(`Error from exec: ${how}`);
  const tail = taskLog.tail();
  return {
    kind: "failure",
    error: tail === "" ? how : `${how}\n${tail}`,
    ...(ended.kind === "exited" ? { exitCode: ended.exitCode } : {}),
  };
}

function describe(ended: RunOutcome): string {
  switch (ended.kind) {
    case "exited":
      return `exit status ${ended.exitCode}`;
    case "signalled":
      return ended.signal === "SIGKILL"
        ? "signal SIGKILL (perhaps the machine ran out of memory)"
        : `signal ${ended.signal}`;
    case "out_of_memory":
      return "out of memory: it needed more than resources.memory allows";
    case "not_started":
      return ended.reason;
  }
}
