import { packTar, type Client, type TarFile } from "../src/client/index.ts";
import type { JobInfo } from "../src/model/job.ts";
import type { Bed, Row } from "./bench.ts";
import { eachMs } from "./measure.ts";
import { cpuMs, runOk } from "./programs.ts";

/**
 * A task for each of many files, then for one file more: what a task costs that does nothing, and what starting
 * and publishing its job costs.
 */
export async function* eachTasks({ client, daemon, full }: Bed): AsyncGenerator<Row, void, void> {
  const count = full ? 100_000 : 2_000;
  await client.repos.create("files");
  await client.pipelines.create({
    pipeline: { name: "nothing" },
    transform: { cmd: ["true"] },
    inputs: [
      { repo: { name: "files" }, method: { partition: "FILE", incremental: "FILE" }, each: true },
    ],
  });
  const cpuBefore = cpuMs(daemon.pid);
  const all = await jobOf(client, 0, count);
  const daemonMs = (cpuMs(daemon.pid) - cpuBefore) / count;
  const forks = await eachMs(200, () => runOk("true", []));
  const peer = { what: "fork and exec of true, one after the other", values: forks };
  yield { what: `start of ${count} tasks`, unit: "ms", values: [all.startMs] };
  yield { what: "each of them", unit: "ms", values: [all.tasksMs / count], peer };
  yield { what: "processor time of the daemon for each", unit: "ms", values: [daemonMs] };
  yield { what: `publish of ${count} tasks`, unit: "ms", values: [all.publishMs] };
  const more: Parts[] = [];
  for (let i = 0; i < 15; i++) more.push(await jobOf(client, count + i, 1));
  const parts = { start: "startMs", "its task": "tasksMs", publish: "publishMs" } as const;
  for (const [what, part] of Object.entries(parts)) {
    const values = more.map((times) => times[part]);
    yield { what: `one file more than ${count}: ${what}`, unit: "ms", values };
  }
}

/** What a job spent on what. */
interface Parts {
  readonly startMs: number;
  readonly tasksMs: number;
  readonly publishMs: number;
}

async function jobOf(client: Client, first: number, count: number): Promise<Parts> {
  const branch = { repo: "files", branch: "master" };
  const commit = await client.files.putTarCommit(branch, "", () => packTar(files(first, count)));
  const look = async (): Promise<JobInfo | undefined> =>
    (await client.jobs.list({ pipeline: "nothing", inputCommits: [commit] }))[0];
  // With few tasks each one is shown in the end; of many, an end seen a moment late is no matter.
  let sawEndMicros = Number.POSITIVE_INFINITY;
  const flushed = client.commits.flush([commit]);
  let isGoing = true;
  void flushed.finally(() => (isGoing = false));
  while (isGoing && count > 100) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const job = await look();
    if (
      job !== undefined &&
      job.progress.tasksDone === job.progress.tasks &&
      job.progress.tasks > 0
    )
      sawEndMicros = Math.min(sawEndMicros, Date.now() * 1_000);
  }
  await flushed;
  const {
    startedMicros,
    finishedMicros = 0,
    progress,
    tasks = [],
  } = await client.jobs.inspect((await look())!.id);
  const { tasksMicros = 0 } = progress;
  const ends = tasks.flatMap(({ attempts }) => attempts.map((one) => one.finishedMicros ?? 0));
  const endedMicros = count > 100 ? Math.min(finishedMicros, sawEndMicros) : Math.max(...ends);
  return {
    startMs: (tasksMicros - startedMicros) / 1_000,
    tasksMs: (endedMicros - tasksMicros) / 1_000,
    publishMs: (finishedMicros - endedMicros) / 1_000,
  };
}

/** Files of one line each, no two alike, none in a folder. */
function* files(first: number, count: number): Generator<TarFile, void, void> {
  for (let index = first; index < first + count; index++) {
    const line = Buffer.from(`apple ${index}\n`);
    yield {
      path: `file-${index}`,
      sizeBytes: line.length,
      open: async function* () {
        yield line;
      },
    };
  }
}
