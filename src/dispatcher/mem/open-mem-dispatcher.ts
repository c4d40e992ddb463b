import { assert } from "../../base/assert.ts";
import type { Dispatcher } from "../dispatcher.ts";

/** A job server within one process, for simulations and tests: any number of dispatchers share its hints. */
export class MemJobServer {
  private isHinted = false;
  private readonly waiting = new Set<() => void>();

  open(): Dispatcher {
    let isWaiting = false;
    return {
      kind: "mem",
      hint: () => {
        this.hint();
      },
      wait: async (signal) => {
        assert(!isWaiting, "one wait at a time");
        isWaiting = true;
        await this.wait(signal).finally(() => (isWaiting = false));
      },
      close: () => undefined,
    };
  }

  private hint(): void {
    const [first] = this.waiting;
    if (first === undefined) this.isHinted = true;
    else first();
  }

  private async wait(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.isHinted) {
      this.isHinted = false;
      return;
    }
    const hinted = Promise.withResolvers<void>();
    const wake = (): void => {
      this.waiting.delete(wake);
      hinted.resolve();
    };
    const stop = (): void => hinted.reject(signal.reason as Error);
    this.waiting.add(wake);
    signal.addEventListener("abort", stop, { once: true });
    try {
      await hinted.promise;
    } finally {
      this.waiting.delete(wake);
      signal.removeEventListener("abort", stop);
    }
  }
}
