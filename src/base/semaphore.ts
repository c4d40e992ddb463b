/** At most `permits` units in use at a time; waiters are served in order. */
export class Semaphore {
  private free: number;
  private readonly permits: number;
  private readonly waiting: { units: number; grant: () => void }[] = [];

  constructor(permits: number) {
    this.free = permits;
    this.permits = permits;
  }

  /** Waits for `units` (at most all of them); the returned function gives them back, once. */
  async acquire(units = 1, signal?: AbortSignal): Promise<() => void> {
    const wanted = Math.min(units, this.permits);
    signal?.throwIfAborted();
    if (this.waiting.length > 0 || this.free < wanted) await this.wait(wanted, signal);
    else this.free -= wanted;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.free += wanted;
      this.grantNext();
    };
  }

  /** Runs `work` holding `units`. */
  async run<T>(work: () => Promise<T>, units = 1, signal?: AbortSignal): Promise<T> {
    const release = await this.acquire(units, signal);
    try {
      return await work();
    } finally {
      release();
    }
  }

  private async wait(units: number, signal?: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const waiter = {
        units,
        grant: (): void => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        },
      };
      const onAbort = (): void => {
        const index = this.waiting.indexOf(waiter);
        if (index >= 0) this.waiting.splice(index, 1);
        reject(signal?.reason as Error);
        this.grantNext();
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.waiting.push(waiter);
    });
  }

  private grantNext(): void {
    for (
      let next = this.waiting[0];
      next !== undefined && this.free >= next.units;
      next = this.waiting[0]
    ) {
      this.waiting.shift();
      this.free -= next.units;
      next.grant();
    }
  }
}
