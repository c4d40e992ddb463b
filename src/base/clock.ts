import { setTimeout as sleepFor } from "node:timers/promises";

/** Time, injected so that tests and simulations own it. */
export interface Clock {
  /** Wall time, microseconds since 1970, finer than a millisecond. Follows corrections of the wall clock. */
  nowMicros(): number;
  /** Milliseconds that only ever go forward; for leases and timeouts. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with AbortError when the signal fires. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

const recalibrateAfterMs = 1_000;

/** The machine's clock. Sub-millisecond digits come from the monotonic clock, re-calibrated every second. */
export function systemClock(): Clock {
  let offsetMicros = 0;
  let calibratedAtMs = -Infinity;
  let last = 0;
  const monotonicMs = (): number => performance.now();
  return {
    monotonicMs,
    nowMicros() {
      const ms = monotonicMs();
      if (ms - calibratedAtMs > recalibrateAfterMs) {
        // Wall milliseconds are truncated: half of one is the expected remainder.
        const wall = Date.now() * 1_000;
        const drifted = Math.abs(wall - (offsetMicros + ms * 1_000)) > 2_000;
        if (drifted) offsetMicros = wall - ms * 1_000;
        calibratedAtMs = ms;
      }
      last = Math.max(last + 1, Math.floor(offsetMicros + ms * 1_000));
      if (last - (offsetMicros + ms * 1_000) > 1_000_000)
        last = Math.floor(offsetMicros + ms * 1_000);
      return last;
    },
    async sleep(ms, signal) {
      await sleepFor(ms, undefined, signal === undefined ? {} : { signal });
    },
  };
}
