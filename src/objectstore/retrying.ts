import type { Clock } from "../base/clock.ts";
import { isCoded } from "../base/errors.ts";
import { randomBelow, type Random } from "../base/random.ts";
import type { ObjectStat, ObjectStore } from "./object-store.ts";

export interface RetryingOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Tries in all. Default 5. */
  readonly triesMax?: number;
}

const firstDelayMs = 100;
const delayMsMax = 5_000;

/**
 * Repeats what failed with `unavailable` after growing pauses with full jitter: reading, finding, listing,
 * removing. A write cannot be repeated from outside: its adapter repeats the requests it is made of.
 */
export function retrying(store: ObjectStore, options: RetryingOptions): ObjectStore {
  const again = async <T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> => {
    const { clock, random, triesMax = 5 } = options;
    for (let failures = 1; ; failures++) {
      try {
        return await work();
      } catch (error) {
        if (failures >= triesMax || !isCoded(error, "unavailable") || signal?.aborted === true)
          throw error;
        const delayMs = Math.min(delayMsMax, firstDelayMs * 2 ** (failures - 1));
        await clock.sleep(randomBelow(random, delayMs) + 1, signal);
      }
    }
  };
  return {
    create: async (key, { signal }) =>
      await again(() => store.create(key, signal === undefined ? {} : { signal }), signal),
    read: async (key, range, called) =>
      await again(() => store.read(key, range, called), called.signal),
    stat: async (key, called) => await again(() => store.stat(key, called), called.signal),
    remove: async (key, called) => await again(() => store.remove(key, called), called.signal),
    list: (prefix, called) => listAgain(store, prefix, called, again),
    close: () => store.close(),
  };
}

/** Goes on behind what has been given out already. */
async function* listAgain(
  store: ObjectStore,
  prefix: string,
  called: { signal?: AbortSignal },
  again: <T>(work: () => Promise<T>, signal: AbortSignal | undefined) => Promise<T>,
): AsyncGenerator<ObjectStat> {
  let last = "";
  let listing = store.list(prefix, called)[Symbol.asyncIterator]();
  for (;;) {
    const next = await again(async () => {
      try {
        for (;;) {
          const found = await listing.next();
          if (found.done === true || found.value.key > last) return found;
        }
      } catch (error) {
        listing = store.list(prefix, called)[Symbol.asyncIterator]();
        throw error;
      }
    }, called.signal);
    if (next.done === true) return;
    last = next.value.key;
    yield next.value;
  }
}
