import { CodedError } from "../base/errors.ts";
import type { Demands } from "../model/demands.ts";
import { describeEnd } from "./describe-end.ts";
import type { PipedRun, RunOptions, SecretMount } from "../runner/index.ts";
import { demanded, runInTime } from "./run-user-code.ts";
import { ReporterLines, type Reports } from "./reporter-lines.ts";
import type { TaskLog } from "./task-log.ts";
import type { ClaimedTask } from "./worker-host.ts";
import type { WorkerOptions } from "./worker-options.ts";

/** Where commands of stages start; what they leave there goes with them. */
const workName = "work";

/** What all commands of one attempt share. */
export interface StageSetting {
  readonly options: Omit<WorkerOptions, "secrets">;
  readonly task: ClaimedTask;
  readonly env: Readonly<Record<string, string>>;
  readonly taskLog: TaskLog;
  readonly secrets: readonly SecretMount[];
  /** Host path of the working directory. */
  readonly work: string;
  /** Host path of a directory that commands do not see. */
  readonly merge: string;
  readonly hidden: readonly string[];
  readonly reports: Reports;
  readonly signal: AbortSignal;
}

/**
 * Runs a mapper, combiner or reducer, `what`, between two streams. A command that ends with 0 has succeeded, whether it
 * has read all of its input or not.
 *
 * @throws CodedError `failed_precondition` with how it failed and the last lines of its stderr; what the streams throw
 */
export async function runStageCommand(
  setting: StageSetting,
  what: "mapper" | "combiner" | "reducer",
  command: string,
  piped: PipedRun,
): Promise<void> {
  const { options, task, taskLog, secrets, work, hidden, reports, signal } = setting;
  const { jobId, attempt } = task;
  const { workingDir: _unused, ...demands }: Demands = task.demands ?? {};
  const imageArgs = task.work?.spec.imageArgs;
  const spec = {
    id: `${jobId}-${task.task}-${attempt}`,
    group: jobId,
    image: task.image,
    ...(imageArgs === undefined
      ? { cmd: ["sh", "-c", `cd /pfs/${workName} || exit 126\n${command}`] }
      : { cmd: imageArgs, isImageCommand: true }),
    env: { PACH_STAGE: what, ...setting.env },
    stdin: Buffer.alloc(0),
    mounts: [{ name: workName, hostPath: work, writable: true }],
    ...(secrets.length === 0 ? {} : { secrets }),
    hidden,
    ...demanded(demands),
  };
  const reporter = new ReporterLines(reports, async (piece) => await taskLog.write(piece));
  const running: RunOptions = {
    signal,
    output: async (piece) => await reporter.write(piece),
    piped,
  };
  const ended = await runInTime(options, task, spec, running);
  await reporter.end();
  await taskLog.end();
  if (ended.kind === "exited" && ended.exitCode === 0) return;
  const lines = [`${what}: ${describeEnd(ended)}`, taskLog.tail()].filter((line) => line !== "");
  throw new CodedError("failed_precondition", lines.join("\n"));
}
