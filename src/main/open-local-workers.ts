import { hostname } from "node:os";
import { GiB } from "../base/size.ts";
import { openGearmanDispatcher } from "../dispatcher/index.ts";
import type { WorkerFacts } from "../model/worker.ts";
import { openLocalPool } from "../pool/index.ts";
import { TaskHost, type PpsDeps } from "../pps/index.ts";
import { keepRegistered, type Worker } from "../worker/index.ts";
import type { PachdConfig } from "./config.ts";
import type { OpenedRunner } from "./open-runner.ts";
import { openMachineWorker } from "./open-machine-worker.ts";

/** Files of inputs kept on disk between jobs. */
const cacheBytesMax = 20 * GiB;

/** The slots of this machine. */
export interface LocalWorkers {
  /** Takes no more tasks. */
  drain(): void;
  /** Drains, lets the tasks under way end until the signal fires, then kills them and hands them back. */
  close(signal: AbortSignal): Promise<void>;
}

/** Opens the worker of a daemon and keeps its slots busy. */
export async function openLocalWorkers(
  config: PachdConfig,
  { pps, runner, version }: { pps: PpsDeps; runner: OpenedRunner; version: string },
): Promise<LocalWorkers> {
  const { clock, log, hints } = pps.pfs;
  const host = new TaskHost(pps);
  const { session: id } = pps;
  const name = `${hostname()}-${id.slice(0, 8)}`;
  const { worker, filecache } = await openMachineWorker(
    { ...config, cacheBytesMax },
    { name, host, runner, clock, log },
  );
  const draining = new AbortController();
  const work = async (signal: AbortSignal): Promise<boolean> =>
    await workOnce({ pps, host, worker, name }, signal);
  const pool = openLocalPool({ slots: runner.slots, work, clock, log });
  const stop = hints.listen("tasks", () => {
    pool.hint();
  });
  const stopHints = giveHints(config, pps.pfs);
  const facts = (): WorkerFacts => ({
    id,
    name,
    machine: hostname(),
    version,
    runner: runner.kind,
    slots: runner.slots,
    state: draining.signal.aborted ? "draining" : "ready",
  });
  const gone = new AbortController();
  const keeping =
    runner.slots === 0
      ? Promise.resolve()
      : keepRegistered({ host, worker, clock, log }, facts, gone.signal);
  const drain = (): void => {
    draining.abort();
    pool.drain();
  };
  return {
    drain,
    async close(signal) {
      drain();
      stop();
      await pool.close({ signal });
      stopHints();
      gone.abort();
      await keeping;
      await host.leave({ id }).catch(() => undefined);
      await filecache.close(signal);
    },
  };
}

/** Tells workers on other machines of new tasks through a job server, where there is one. */
function giveHints(
  { dispatcher: address }: PachdConfig,
  { clock, random, log, hints }: PpsDeps["pfs"],
): () => void {
  if (address === undefined) return () => undefined;
  const dispatcher = openGearmanDispatcher({ ...address, clock, random, log });
  const stop = hints.listen("tasks", () => dispatcher.hint());
  return () => {
    stop();
    dispatcher.close();
  };
}

/** Claims a task and runs it to its end, or until its job is gone; false when there is none. */
async function workOnce(
  parts: { pps: PpsDeps; host: TaskHost; worker: Worker; name: string },
  signal: AbortSignal,
): Promise<boolean> {
  const { pps, host, worker, name } = parts;
  const { clock, hints } = pps.pfs;
  const claimedAtMs = clock.monotonicMs();
  const [task] = await host.claim({ worker: name, count: 1, signal });
  if (task === undefined) return false;
  const stop = hints.listen(`job:${task.jobId}`, () => {
    worker.drop(task.token);
  });
  await worker.runTask(task, { claimedAtMs, signal });
  stop();
  return true;
}
