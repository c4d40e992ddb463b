import { randomBelow, type Random } from "../base/random.ts";

const delayMsMax = 4_000;

/**
 * How long a failed task rests before its next attempt: half a second, then doubling, four seconds at
 * most (attempts also count that only died with their daemon), with jitter.
 */
export function retryDelayMs(attempt: number, random: Random): number {
  const ceiling = Math.min(delayMsMax, 500 * 2 ** (attempt - 1));
  return ceiling / 2 + randomBelow(random, ceiling / 2);
}
