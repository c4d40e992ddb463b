import { systemClock, type Clock } from "../../base/clock.ts";

/** The machine's clock, that a test can put forward. Whoever sleeps past the new time wakes. */
export class ShiftedClock implements Clock {
  private readonly clock = systemClock();
  private readonly sleepers = new Set<() => void>();
  private shiftMs = 0;

  nowMicros(): number {
    return this.clock.nowMicros() + this.shiftMs * 1_000;
  }

  monotonicMs(): number {
    return this.clock.monotonicMs() + this.shiftMs;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const untilMs = this.monotonicMs() + ms;
    while (this.monotonicMs() < untilMs) {
      const shifted = new AbortController();
      const wake = (): void => shifted.abort();
      this.sleepers.add(wake);
      const either =
        signal === undefined ? shifted.signal : AbortSignal.any([shifted.signal, signal]);
      await this.clock
        .sleep(Math.max(0, untilMs - this.monotonicMs()), either)
        .catch(() => undefined);
      this.sleepers.delete(wake);
      signal?.throwIfAborted();
    }
  }

  /** Puts the clock forward. */
  advance(ms: number): void {
    this.shiftMs += ms;
    for (const wake of this.sleepers) wake();
  }
}
