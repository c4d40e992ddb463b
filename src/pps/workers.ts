import type { Principal } from "../model/principal.ts";
import type { WorkerInfo } from "../model/worker.ts";
import type { PpsDeps } from "./pps-deps.ts";

/** The workers that take tasks: those on other machines, and those inside daemons. */
export async function listWorkers(
  { pfs }: PpsDeps,
  _principal: Principal,
): Promise<readonly WorkerInfo[]> {
  return await pfs.metadata.call("listWorkers", {});
}

/**
 * What a parallelism counts, at least one of each: machines that have workers, and slots of all workers, or of
 * this daemon where it knows of no other.
 */
export async function countWorkers({
  pfs,
  slots,
}: Pick<PpsDeps, "pfs" | "slots">): Promise<{ machines: number; slots: number }> {
  const there = await pfs.metadata.call("countWorkers", {});
  return { machines: Math.max(1, there.machines), slots: Math.max(1, there.slots, slots) };
}
