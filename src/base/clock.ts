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

/** Between two looks at both clocks the machine may do something else. */
const wallTickMicros = 2_000;

/** What timers of the platform can count: 24 days. A longer sleep ends then; who waits looks again. */
export const timerMsMax = 2 ** 31 - 1;

/** The machine's clock. Sub-millisecond digits come from the monotonic clock, held to the wall clock at every look. */
export function systemClock(): Clock {
  let offsetMicros = performance.timeOrigin * 1_000;
  let last = 0;
  const monotonicMs = (): number => performance.now();
  return {
    monotonicMs,
    nowMicros() {
      const wall = Date.now() * 1_000;
      const sinceStart = monotonicMs() * 1_000;
      // Wall milliseconds are truncated: the time is never before them, and hardly a millisecond after.
      const ahead = offsetMicros + sinceStart - wall;
      if (ahead < 0 || ahead > wallTickMicros) offsetMicros = wall - sinceStart;
      const now = Math.floor(offsetMicros + sinceStart);
      last = last - now > 1_000_000 ? now : Math.max(last + 1, now);
      return last;
    },
    async sleep(ms, signal) {
      await sleepFor(Math.min(ms, timerMsMax), undefined, signal === undefined ? {} : { signal });
    },
  };
}
