import * as fs from "node:fs/promises";
import type { TestContext } from "node:test";
import { systemClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { probeNamespaces } from "../../runner/index.ts";
import { openWorkerBench, type WorkerBench } from "../../worker/testing/worker-bench.ts";
import { viewDisplays } from "../view-displays.ts";

const probe = await probeNamespaces();
const hasDevice = await fs.access("/dev/fuse", fs.constants.R_OK | fs.constants.W_OK).then(
  () => true,
  () => false,
);
/** Why nothing can be shown to a sandbox here. */
export const skip = !probe.works
  ? probe.reason
  : !hasDevice || process.getuid?.() !== 0
    ? "/dev/fuse is missing or not ours"
    : false;
export const options = { skip, timeout: 120_000 };

/** Real mounts of this machine. */
export const displays = viewDisplays({ clock: systemClock(), log: silentLog });

/** A worker over a host in memory, with real sandboxes and mounts. */
export async function openBench(t: TestContext): Promise<WorkerBench> {
  const bench = await openWorkerBench({ displays });
  t.after(async () => {
    await bench.worker.close();
    await bench.close();
  });
  return bench;
}
