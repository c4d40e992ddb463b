import { throwIfCancelled } from "../base/cancelled.ts";
import { Semaphore } from "../base/semaphore.ts";
import type { ObjectStore } from "./object-store.ts";

/** At most so many calls at a time; the others wait. Writers count while they write, not while they wait. */
export function limiting(store: ObjectStore, callsMax: number): ObjectStore {
  const room = new Semaphore(callsMax);
  const inside = async <T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> => {
    throwIfCancelled(signal);
    const leave = await room.acquire(1, signal).catch((error: unknown) => {
      throwIfCancelled(signal);
      throw error;
    });
    try {
      return await work();
    } finally {
      leave();
    }
  };
  return {
    create: async (key, { signal }) => {
      const writer = await inside(
        () => store.create(key, signal === undefined ? {} : { signal }),
        signal,
      );
      return {
        write: (bytes) => inside(() => writer.write(bytes)),
        seal: () => inside(() => writer.seal()),
        abort: () => writer.abort(),
      };
    },
    read: (key, range, called) => inside(() => store.read(key, range, called), called.signal),
    stat: (key, called) => inside(() => store.stat(key, called), called.signal),
    remove: (key, called) => inside(() => store.remove(key, called), called.signal),
    list: (prefix, called) => store.list(prefix, called),
    close: () => store.close(),
  };
}
