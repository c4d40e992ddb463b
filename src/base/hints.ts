import type { Clock } from "./clock.ts";

/** Waiters look again this often even when no hint comes: hints may be lost, conditions may not. */
export const recheckMs = 2_000;

/**
 * Wakes those who wait for something to change. A hint says "look again", never "it is so": every
 * waiter re-checks its own condition on a hint and every two seconds.
 */
export class Hints {
  private readonly listeners = new Map<string, Set<() => void>>();
  private readonly relay: (topic: string) => void;

  /** @param relay told of every hint, to pass it on to other daemons */
  constructor(relay: (topic: string) => void = () => undefined) {
    this.relay = relay;
  }

  /** Wakes everyone who waits on `topic`. */
  give(topic: string): void {
    this.wake(topic);
    this.relay(topic);
  }

  /** The same for a hint from another daemon, which is not passed on. */
  wake(topic: string): void {
    for (const wake of this.listeners.get(topic) ?? []) wake();
  }

  /** Calls `wake` at every hint on `topic` until the returned function is called. */
  listen(topic: string, wake: () => void): () => void {
    const set = this.listeners.get(topic) ?? new Set();
    this.listeners.set(topic, set.add(wake));
    return () => {
      set.delete(wake);
      if (set.size === 0) this.listeners.delete(topic);
    };
  }

  /** Calls `check` now, at each hint on `topic` and every two seconds, until it returns a value. */
  async until<T>(
    topic: string,
    check: () => Promise<T | undefined>,
    options: { clock: Clock; signal: AbortSignal },
  ): Promise<T> {
    for (;;) {
      options.signal.throwIfAborted();
      const round = new AbortController();
      // Listening before checking: a hint given during the check is not lost.
      const stop = this.listen(topic, () => {
        round.abort();
      });
      try {
        const value = await check();
        if (value !== undefined) return value;
        await options.clock
          .sleep(recheckMs, AbortSignal.any([round.signal, options.signal]))
          .catch(() => undefined);
      } finally {
        stop();
      }
    }
  }
}
