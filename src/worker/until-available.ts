import type { Clock } from "../base/clock.ts";
import { isCoded } from "../base/errors.ts";

const firstDelayMs = 500;
const delayMsMax = 5_000;

/**
 * Calls again what failed with `unavailable`, after half a second to five, until the signal fires: that the
 * host is away, or cannot reach its store, is no failure of a task as long as the lease holds.
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
      if (!isCoded(error, "unavailable")) throw error;
      await clock.sleep(delayMs, signal);
    }
  }
}
