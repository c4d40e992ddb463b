import { removeTree } from "../base/remove-tree.ts";
import { LazyViews } from "./lazy-views.ts";
import { runTask } from "./run-task.ts";
import { ViewStore } from "./view-store.ts";
import type { ClaimedTask } from "./worker-host.ts";
import type { WorkerOptions } from "./worker-options.ts";

/** Runs tasks on this machine, as many at a time as it is called for. */
export interface Worker {
  /** Claims a task and runs it to its end; false when there is none. For a slot of a pool. */
  work(signal: AbortSignal): Promise<boolean>;
  /** The tokens of the tasks that are running. */
  tokens(): string[];
  /** Kills a task that is no longer this worker's. */
  drop(token: string): void;
  /**
   * Runs a task that was claimed. Settles when it is reported, or given up because its lease is lost
   * or the signal fired; never rejects for what the task did.
   */
  runTask(task: ClaimedTask, options: { claimedAtMs: number; signal: AbortSignal }): Promise<void>;
  /** Gives back what it has of the machine. To be called after the last task. */
  close(): Promise<void>;
}

/** Opens a worker and removes what a crash left in its scratch directory. */
export async function openWorker(options: WorkerOptions): Promise<Worker> {
  const { clock, fs, host, scratch } = options;
  const lazyViews = await openLazyViews(options);
  await removeTree(fs, `${scratch}/tasks`);
  await removeTree(fs, `${scratch}/views`);
  await fs.mkdir(`${scratch}/tasks`, { recursive: true });
  await fs.mkdir(`${scratch}/views`);
  const views = new ViewStore({
    ...options,
    directory: `${scratch}/views`,
    hardLinks: options.readOnlyInputs,
  });
  let attempts = 0;
  const running = new Map<string, AbortController>();
  const run: Worker["runTask"] = async (task, { claimedAtMs, signal }) => {
    const directory = `${scratch}/tasks/${++attempts}`;
    const dropped = new AbortController();
    running.set(task.token, dropped);
    const either = AbortSignal.any([signal, dropped.signal]);
    try {
      await runTask({ ...options, views, lazyViews }, { task, claimedAtMs, directory }, either);
    } finally {
      running.delete(task.token);
    }
  };
  return {
    runTask: run,
    tokens: () => [...running.keys()],
    drop: (token) => running.get(token)?.abort(),
    async work(signal) {
      signal.throwIfAborted();
      const claimedAtMs = clock.monotonicMs();
      const tasks = await host.claim({ worker: options.name, count: 1, signal });
      await Promise.all(tasks.map(async (task) => await run(task, { claimedAtMs, signal })));
      return tasks.length > 0;
    },
    async close() {
      await lazyViews?.close();
    },
  };
}

/** What a worker that was killed left mounted goes first: nothing may be removed through it. */
async function openLazyViews(options: WorkerOptions): Promise<LazyViews | undefined> {
  const { displays, fs, scratch } = options;
  if (displays === undefined) return undefined;
  const directory = `${scratch}/lazy`;
  const isThere = await fs.stat(directory).then(
    () => true,
    () => false,
  );
  if (isThere) await displays.clear(directory);
  await removeTree(fs, directory);
  return new LazyViews({ ...options, displays, directory });
}
