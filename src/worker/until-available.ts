import type { Clock } from "../base/clock.ts";
import { isCoded } from "../base/errors.ts";
import { collectedPackOf } from "../model/collected-pack.ts";

const firstDelayMs = 500;
const delayMsMax = 5_000;

/**
 * Calls again what failed with `unavailable`, after half a second to five, until the signal fires: that the
 * host is away, or cannot reach its store, is no failure of a task as long as the lease holds. The same for what
 * garbage collection took away under a write: it is stored again.
 */
export async function untilAvailable<T>(
  call: () => Promise<T>,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<T> {
  for (let delayMs = firstDelayMs; ; delayMs = Math.min(delayMsMax, delayMs * 2)) {
    signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      if (!isCoded(error, "unavailable") && collectedPackOf(error) === undefined) throw error;
      await clock.sleep(delayMs, signal);
    }
  }
}
