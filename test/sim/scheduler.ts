import { createHash } from "node:crypto";
import { setImmediate as immediate } from "node:timers/promises";
import type { Clock } from "../../src/base/clock.ts";
import { seededRandom, type Random } from "../../src/base/random.ts";

/** Something that waits for its turn. */
interface Step {
  readonly owner: string;
  readonly name: string;
  readonly go: () => void;
}

interface Timer extends Step {
  readonly dueMs: number;
  readonly number: number;
}

/** Steps in a row without which nothing would end: then somebody waits for ever. */
const stepsMax = 400_000;
const tracedMax = 60;

/**
 * Decides alone, from one seed, in which order everything goes on: calls to the store and the database, their
 * answers, and sleeps. Time passes only when nothing else is left to do, or by chance. The same seed gives
 * the same run: `digest()` says so.
 */
export class Scheduler {
  readonly random: Random;
  private readonly steps: Step[] = [];
  private readonly timers: Timer[] = [];
  private readonly frozen = new Map<string, number>();
  private readonly hash = createHash("sha256");
  private readonly recent: string[] = [];
  private nowMs = 0;
  private micros = 0;
  private activity = 0;
  private count = 0;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  /** A whole number in [0, below). */
  chance(below: number): number {
    return this.random.bytes(4).readUInt32LE() % below;
  }

  /** One of several. */
  pick<T>(of: readonly T[]): T {
    return of[this.chance(of.length)]!;
  }

  /** Waits for a turn. */
  async step(owner: string, name: string): Promise<void> {
    this.activity++;
    await new Promise<void>((go) => this.steps.push({ owner, name, go }));
  }

  /** The clock of everybody, on which only who is `owner` sleeps. */
  clockOf(owner: string): Clock {
    return {
      nowMicros: () => 1_700_000_000_000_000 + this.nowMs * 1_000 + ++this.micros,
      monotonicMs: () => this.nowMs,
      sleep: async (ms, signal) => await this.sleep(owner, ms, signal),
    };
  }

  /** Nothing of an owner goes on for a while, as if its machine stood still. */
  freeze(owner: string, ms: number): void {
    this.frozen.set(owner, this.nowMs + ms);
  }

  /** Goes on until `isOver`. */
  async run(isOver: () => boolean): Promise<void> {
    for (;;) {
      await this.settle();
      if (isOver()) return;
      const next = this.choose();
      if (next === undefined || ++this.count > stepsMax) throw new Error(`stuck: ${this.trace()}`);
      this.note(`${next.owner} ${next.name}`);
      next.go();
    }
  }

  /** Of all that happened, in order. */
  digest(): string {
    return `${this.count} ${this.hash.copy().digest("hex").slice(0, 16)}`;
  }

  /** What happened last. */
  trace(): string {
    return this.recent.join("\n  ");
  }

  /** Remembers something for the trace. */
  note(text: string): void {
    this.hash.update(text);
    this.recent.push(`${this.nowMs} ms ${text}`);
    if (this.recent.length > tracedMax) this.recent.shift();
  }

  private async sleep(owner: string, ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.activity++;
    await new Promise<void>((resolve, reject) => {
      const timer: Timer = {
        owner,
        name: "wakes",
        dueMs: this.nowMs + Math.max(0, ms),
        number: this.activity,
        go: () => {
          signal?.removeEventListener("abort", stop);
          resolve();
        },
      };
      const stop = (): void => {
        const at = this.timers.indexOf(timer);
        if (at >= 0) this.timers.splice(at, 1);
        this.activity++;
        reject(signal?.reason as Error);
      };
      signal?.addEventListener("abort", stop, { once: true });
      this.timers.push(timer);
    });
  }

  /** Until nobody computes any more: all wait for a turn. */
  private async settle(): Promise<void> {
    for (let before = -1; before !== this.activity;) {
      before = this.activity;
      await immediate();
    }
  }

  private choose(): Step | undefined {
    const ready = this.steps.filter(({ owner }) => !this.isFrozen(owner));
    const isTimeToPass = ready.length === 0 || (this.timers.length > 0 && this.chance(20) === 0);
    if (!isTimeToPass) {
      const step = this.pick(ready);
      this.steps.splice(this.steps.indexOf(step), 1);
      return step;
    }
    const due = (timer: Timer): number => Math.max(timer.dueMs, this.frozen.get(timer.owner) ?? 0);
    const timer = this.timers.toSorted((a, b) => due(a) - due(b) || a.number - b.number)[0];
    if (timer === undefined) return this.thawed();
    this.nowMs = Math.max(this.nowMs, due(timer));
    this.timers.splice(this.timers.indexOf(timer), 1);
    return timer;
  }

  /** Only those that stand still have something to do: time passes until the first goes on. */
  private thawed(): Step | undefined {
    if (this.steps.length === 0) return undefined;
    this.nowMs = Math.min(...this.steps.map(({ owner }) => this.frozen.get(owner) ?? 0));
    return this.choose();
  }

  private isFrozen(owner: string): boolean {
    return (this.frozen.get(owner) ?? 0) > this.nowMs;
  }
}
