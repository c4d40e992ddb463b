import type { Clock } from "../../base/clock.ts";
import { codedErrorFrom } from "../../base/errors.ts";
import { recheckMs } from "../../base/hints.ts";
import type { Log } from "../../base/log.ts";
import type { Pool } from "../pool.ts";

export interface LocalPoolOptions {
  readonly slots: number;
  /** Does one piece of work if there is one; true when it did. Told to give up when the pool must close. */
  readonly work: (signal: AbortSignal) => Promise<boolean>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Slots in this process, which look for work on a hint and every two seconds. */
export function openLocalPool(options: LocalPoolOptions): Pool {
  return new LocalPool(options);
}

class LocalPool implements Pool {
  readonly slots: number;
  private readonly options: LocalPoolOptions;
  private readonly loops: Promise<unknown>;
  /** Aborted when no more work is to be taken. */
  private readonly draining = new AbortController();
  /** Aborted when what runs is to give up. */
  private readonly stopping = new AbortController();
  private hints = 0;
  private readonly sleeping = new Set<AbortController>();

  constructor(options: LocalPoolOptions) {
    this.slots = options.slots;
    this.options = options;
    this.loops = Promise.all(Array.from({ length: options.slots }, async () => await this.loop()));
  }

  hint(): void {
    this.hints++;
    for (const sleeper of this.sleeping) sleeper.abort();
  }

  drain(): void {
    this.draining.abort();
  }

  async close({ signal }: { signal: AbortSignal }): Promise<void> {
    this.drain();
    const stop = (): void => this.stopping.abort();
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    await this.loops;
    signal.removeEventListener("abort", stop);
  }

  private async loop(): Promise<void> {
    while (!this.draining.signal.aborted) {
      const hintsBefore = this.hints;
      const worked = await this.workOnce();
      // A hint given meanwhile may be about what we did not see any more.
      if (!worked && hintsBefore === this.hints) await this.sleep();
    }
  }

  private async workOnce(): Promise<boolean> {
    try {
      return await this.options.work(this.stopping.signal);
    } catch (error) {
      if (!this.stopping.signal.aborted) {
        this.options.log.error(
          { error: codedErrorFrom(error).message },
          "A slot failed; it goes on",
        );
      }
      return false;
    }
  }

  private async sleep(): Promise<void> {
    const sleeper = new AbortController();
    this.sleeping.add(sleeper);
    const signal = AbortSignal.any([sleeper.signal, this.draining.signal]);
    await this.options.clock.sleep(recheckMs, signal).catch(() => undefined);
    this.sleeping.delete(sleeper);
  }
}
