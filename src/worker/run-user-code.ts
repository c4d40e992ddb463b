import type { Log } from "../base/log.ts";
import type { Demands } from "../model/demands.ts";
import type { Runner, RunOutcome, RunSpec } from "../runner/index.ts";
import type { Stage } from "./stage-inputs.ts";
import type { TaskLog } from "./task-log.ts";
import type { ClaimedTask, TaskOutcome } from "./worker-host.ts";

/** Runs a task's command on its stage. Ends the log with how the command failed, if it did. */
export async function runUserCode(
  options: { runner: Runner; taskLog: TaskLog; log: Log; hidden: readonly string[] },
  task: ClaimedTask,
  stage: Stage,
  signal: AbortSignal,
): Promise<TaskOutcome> {
  const { runner, taskLog, log, hidden } = options;
  const { jobId, attempt } = task;
  const spec = {
    id: `${jobId}-${task.task}-${attempt}`,
    // The tasks of a job are one user's program on one user's data.
    group: jobId,
    image: task.image,
    cmd: task.cmd,
    env: task.env,
    stdin: Buffer.from(task.stdin.map((line) => `${line}\n`).join("")),
    mounts: stage.mounts,
    hidden,
    ...demanded(task.demands ?? {}),
  };
  const ended = await runner.run(spec, {
    signal,
    output: async (piece) => await taskLog.write(piece),
    imageResolved: (digest) => {
      log.debug({ job: jobId, task: task.task, attempt, image: task.image, digest }, "Image");
    },
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

function demanded({ user, workingDir, resources, network }: Demands): Partial<RunSpec> {
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
