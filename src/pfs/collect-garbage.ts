import type { GarbageReport } from "../model/garbage.ts";
import type { Principal } from "../model/principal.ts";
import type { PfsDeps } from "./pfs-deps.ts";

/** A run comes at the latest this long after the one before. */
const everyMicrosMax = 24 * 3_600 * 1_000_000;

/** Removes what nothing refers to any more, or tells what would be removed. */
export async function collectGarbage(
  deps: PfsDeps,
  _principal: Principal,
  { isDryRun, signal }: { isDryRun: boolean; signal: AbortSignal },
): Promise<GarbageReport> {
  return await deps.storage.collectGarbage({ isDryRun }, signal);
}

/**
 * Does so when it is time: something was deleted and the last run is `everyMs` ago, or a day went by. Undefined
 * when it is not.
 */
export async function collectDueGarbage(
  deps: PfsDeps,
  principal: Principal,
  { everyMs, signal }: { everyMs: number; signal: AbortSignal },
): Promise<GarbageReport | undefined> {
  const { doneMicros, nowMicros, hasTrash } = await deps.metadata.call("garbageDue", {});
  const sinceMicros = nowMicros - doneMicros;
  const isDue = sinceMicros >= everyMicrosMax || (hasTrash && sinceMicros >= everyMs * 1_000);
  if (!isDue) return undefined;
  return await collectGarbage(deps, principal, { isDryRun: false, signal });
}
