import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { systemClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { systemRandom } from "../../base/random.ts";
import { removeTree } from "../../base/remove-tree.ts";
import { openFileCache } from "../../filecache/index.ts";
import { openProcessRunner } from "../../runner/index.ts";
import { openWorker, type Worker } from "../open-worker.ts";
import type { ClaimedTask } from "../worker-host.ts";
import type { WorkerOptions } from "../worker-options.ts";
import { MemWorkerHost, type MemAttempt } from "./mem-worker-host.ts";

/** A real worker with a real runner over a host in memory. */
export interface WorkerBench {
  readonly home: string;
  readonly host: MemWorkerHost;
  readonly worker: Worker;
  /** Runs a task to its end. */
  run(task: Partial<ClaimedTask> & { cmd: readonly string[] }): Promise<MemAttempt>;
  /** Runs a shell script as a task. */
  sh(script: string, task?: Partial<ClaimedTask>): Promise<MemAttempt>;
  close(): Promise<void>;
}

/** Opens a bench in a temporary directory. `change` replaces parts of the worker's options. */
export async function openWorkerBench(change: Partial<WorkerOptions> = {}): Promise<WorkerBench> {
  const home = await fs.mkdtemp(`${tmpdir()}/mammoth-worker-`);
  const clock = systemClock();
  const host = new MemWorkerHost(clock);
  const runner = await openProcessRunner({
    fs,
    random: systemRandom,
    clock,
    scratch: `${home}/runner`,
    log: silentLog,
    mode: "namespaces",
  });
  const filecache = await openFileCache({
    fs,
    dir: `${home}/cache`,
    bytesMax: 1_000_000,
    bootId: undefined,
  });
  const worker = await openWorker({
    name: "bench",
    host,
    runner,
    filecache,
    fs,
    scratch: `${home}/scratch`,
    clock,
    log: silentLog,
    hidden: [],
    readOnlyInputs: true,
    ...change,
  });
  const run: WorkerBench["run"] = async (task) => {
    const added = host.addTask(task);
    await worker.work(new AbortController().signal);
    return host.attemptOf(added);
  };
  return {
    home,
    host,
    worker,
    run,
    sh: async (script, task = {}) => await run({ cmd: ["sh", "-c", script], ...task }),
    async close() {
      await runner.close();
      await removeTree(fs, home);
    },
  };
}
