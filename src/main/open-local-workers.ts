import { hostname } from "node:os";
import { GiB } from "../base/size.ts";
import { openGearmanDispatcher } from "../dispatcher/index.ts";
import type { WorkerFacts } from "../model/worker.ts";
import { openLocalPool } from "../pool/index.ts";
import { TaskHost, type PpsDeps } from "../pps/index.ts";
import { keepRegistered, Places, TaskFeed, type Worker } from "../worker/index.ts";
import type { PachdConfig } from "./config.ts";
import type { OpenedRunner } from "./open-runner.ts";
import { openMachineWorker } from "./open-machine-worker.ts";

/** Files of inputs kept on disk between jobs. */
const cacheBytesMax = 20 * GiB;

/** The slots of this machine. */
export interface LocalWorkers {
  /** Says where commands find the daemon: its port is opened after its workers. */
  tellAddress(address: string): void;
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
  let address: string | undefined;
  const name = `${hostname()}-${id.slice(0, 8)}`;
  const places = new Places(runner.slots, clock);
  const machine = await openMachineWorker(
    { ...config, cacheBytesMax },
    { name, host, runner, clock, log, places, daemonAddress: () => address },
  );
  const { worker } = machine;
  const feed = new TaskFeed({ host, worker: name, monotonicMs: () => clock.monotonicMs() });
  const draining = new AbortController();
  const work = async (signal: AbortSignal): Promise<boolean> =>
    await places.work(async () => await workOnce({ pps, feed, worker }, signal));
  // Half of them are for tasks that are prepared, or reported, while others run.
  const pool = openLocalPool({ slots: 2 * runner.slots, work, clock, log });
  places.onRoom(() => pool.hint());
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
    tellAddress(given) {
      address = given;
    },
    async close(signal) {
      drain();
      stop();
      await pool.close({ signal });
      stopHints();
      gone.abort();
      await keeping;
      await host.leave({ id }).catch(() => undefined);
      await machine.close(signal);
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
  { pps, feed, worker }: { pps: PpsDeps; feed: TaskFeed; worker: Worker },
  signal: AbortSignal,
): Promise<boolean> {
  const claimed = await feed.next(signal);
  if (claimed === undefined) return false;
  const { task, claimedAtMs } = claimed;
  const stop = pps.pfs.hints.listen(`job:${task.jobId}`, () => {
    worker.drop(task.token);
  });
  await worker.runTask(task, { claimedAtMs, signal });
  stop();
  return true;
}
