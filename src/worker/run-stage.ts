import { unreachable } from "../base/assert.ts";
import type { MapReduce } from "../model/map-reduce.ts";
import type { StageWork, TaskFacts } from "../model/stage-work.ts";
import type { SecretMount } from "../runner/index.ts";
import { Reports } from "./reporter-lines.ts";
import { runMap } from "./run-map.ts";
import { runReduce } from "./run-reduce.ts";
import type { StageSetting } from "./stage-command.ts";
import { stageEnvironment } from "./stage-environment.ts";
import type { Stage } from "./stage-inputs.ts";
import type { TaskLog } from "./task-log.ts";
import type { ClaimedTask } from "./worker-host.ts";
import type { WorkerFs, WorkerOptions } from "./worker-options.ts";

/** What a task of a stage leaves: files for its output, and what it has counted. */
export interface StageResult {
  readonly stage: Stage;
  readonly facts: TaskFacts;
}

/** Runs a task of a stage in `directory`: its output is then below `out` there. */
export async function runStage(
  {
    secrets,
    taskLog,
    ...options
  }: Omit<WorkerOptions, "secrets"> & { taskLog: TaskLog; secrets: readonly SecretMount[] },
  { task, work, directory }: { task: ClaimedTask; work: StageWork; directory: string },
  signal: AbortSignal,
): Promise<StageResult> {
  const { fs } = options;
  const out = `${directory}/out`;
  await fs.mkdir(out, { recursive: true });
  const merge = `${directory}/merge`;
  await fs.mkdir(merge);
  const setting: StageSetting = {
    options,
    task,
    env: { ...addressOf(options), ...stageEnvironment(task, work) },
    taskLog,
    secrets,
    work: `${directory}/work`,
    merge,
    hidden: [...options.hidden, options.scratch],
    reports: new Reports(),
    signal,
  };
  await shipFiles(fs, setting.work, work.spec);
  const run = async (): Promise<TaskFacts> => await runWork(setting, work, out);
  const { places } = options;
  const counted = await (places === undefined ? run() : places.run(run, signal));
  const { counters } = setting.reports;
  const facts = {
    ...counted,
    ...(Object.keys(counters).length === 0 ? {} : { counters }),
  };
  const stage: Stage = {
    mounts: [],
    out,
    inherited: undefined,
    lazy: [],
    mountPoint: undefined,
    release: () => Promise.resolve(),
  };
  return { stage, facts };
}

/** For programs that read other files than those they are given. */
function addressOf({ daemonAddress }: Pick<WorkerOptions, "daemonAddress">): { ADDRESS?: string } {
  const address = daemonAddress?.();
  return address === undefined ? {} : { ADDRESS: address };
}

async function runWork(setting: StageSetting, work: StageWork, out: string): Promise<TaskFacts> {
  switch (work.kind) {
    case "map":
      return await runMap(setting, work, out);
    case "reduce":
      return await runReduce(setting, work, out);
    default:
      return unreachable(work);
  }
}

/** The working directory of the commands, with the files shipped beside them. */
async function shipFiles(fs: WorkerFs, directory: string, { files }: MapReduce): Promise<void> {
  await fs.mkdir(directory, { recursive: true });
  await fs.chmod(directory, 0o777);
  for (const { name, content } of files) {
    const file = await fs.open(`${directory}/${name}`, "w", 0o755);
    try {
      await file.writeFile(Buffer.from(content, "base64"));
      await file.chmod(0o755);
    } finally {
      await file.close();
    }
  }
}
