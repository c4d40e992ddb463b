import type { Clock } from "../base/clock.ts";
import { randomBelow, type Random } from "../base/random.ts";

const attemptsMax = 5;
const firstDelayMs = 100;

export interface RetryOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Whether another try makes sense after this failure. */
  readonly isRetryable: (error: unknown) => boolean;
  readonly signal: AbortSignal | undefined;
}

/** Tries up to five times, waiting 100, 200, 400, 800 ms less up to half, so that callers do not return in step. */
export async function withRetries<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  for (let failures = 0; ;) {
    try {
      return await attempt();
    } catch (error) {
      failures++;
      if (
        failures === attemptsMax ||
        options.signal?.aborted === true ||
        !options.isRetryable(error)
      )
        throw error;
      const delayMs = firstDelayMs * 2 ** (failures - 1);
      await options.clock.sleep(delayMs - randomBelow(options.random, delayMs / 2), options.signal);
    }
  }
}
