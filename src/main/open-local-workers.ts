import * as fs from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { GiB } from "../base/size.ts";
import { openFileCache } from "../filecache/index.ts";
import { openLocalPool } from "../pool/index.ts";
import type { PpsDeps } from "../pps/index.ts";
import { openWorker } from "../worker/index.ts";
import type { PachdConfig } from "./config.ts";
import { embeddedWorkerHost } from "./embedded-worker-host.ts";
import { openSecretSource } from "./secret-source.ts";
import type { OpenedRunner } from "./open-runner.ts";

/** Files of inputs kept on disk between jobs. */
const cacheBytesMax = 20 * GiB;

/** The slots of this machine. */
export interface LocalWorkers {
  /** Takes no more tasks, lets those under way end until the signal fires, then kills them. */
  close(signal: AbortSignal): Promise<void>;
}

/** Opens the worker of a daemon and keeps its slots busy. */
export async function openLocalWorkers(
  config: PachdConfig,
  { pps, runner }: { pps: PpsDeps; runner: OpenedRunner },
): Promise<LocalWorkers> {
  const { clock, log, hints } = pps.pfs;
  const { secrets } = config;
  const filecache = await openFileCache({
    fs,
    dir: join(config.root, "cache"),
    bytesMax: cacheBytesMax,
    bootId: await readBootId(),
  });
  const host = embeddedWorkerHost(pps);
  const name = `${hostname()}-${pps.session.slice(0, 8)}`;
  const worker = await openWorker({
    name,
    host,
    runner,
    filecache,
    fs,
    clock,
    log,
    scratch: join(config.root, "work"),
    hidden: [config.root, ...(secrets.directory === undefined ? [] : [secrets.directory])],
    secrets: openSecretSource(secrets),
    readOnlyInputs: config.sandbox,
  });
  const work = async (signal: AbortSignal): Promise<boolean> => {
    const claimedAtMs = clock.monotonicMs();
    const [task] = await host.claim({ worker: name, count: 1, signal });
    if (task === undefined) return false;
    const gone = new AbortController();
    const stop = hints.listen(`job:${task.jobId}`, () => {
      gone.abort();
    });
    await worker.runTask(task, { claimedAtMs, signal: AbortSignal.any([signal, gone.signal]) });
    stop();
    await host.release(task);
    return true;
  };
  const pool = openLocalPool({ slots: runner.slots, work, clock, log });
  const stop = hints.listen("tasks", () => {
    pool.hint();
  });
  return {
    async close(signal) {
      stop();
      await pool.close({ signal });
      await filecache.close(signal);
    },
  };
}

/** Undefined where the system has none. */
async function readBootId(): Promise<string | undefined> {
  return await fs.readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => undefined);
}
