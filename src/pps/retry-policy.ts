import { randomBelow, type Random } from "../base/random.ts";

/** How long a failed task rests before its next attempt: half a second, then doubling, with jitter. */
export function retryDelayMs(attempt: number, random: Random): number {
  const ceiling = 500 * 2 ** (attempt - 1);
  return ceiling / 2 + randomBelow(random, ceiling / 2);
}
