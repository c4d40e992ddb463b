import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Clock } from "../base/clock.ts";
import { isCoded } from "../base/errors.ts";
import { Places } from "./places.ts";

/** A clock that the test moves on; whoever sleeps is woken by that. */
class TestClock implements Clock {
  private nowMs = 0;
  private readonly sleeping = new Set<{ untilMs: number; wake: () => void }>();

  nowMicros(): number {
    return this.nowMs * 1_000;
  }

  monotonicMs(): number {
    return this.nowMs;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const sleeper = { untilMs: this.nowMs + ms, wake: resolve };
    this.sleeping.add(sleeper);
    signal?.addEventListener("abort", () => reject(signal.reason as Error));
    await promise.finally(() => this.sleeping.delete(sleeper));
  }

  pass(ms: number): void {
    this.nowMs += ms;
    for (const { untilMs, wake } of this.sleeping) if (untilMs <= this.nowMs) wake();
  }
}

const never = new AbortController().signal;
const settle = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await new Promise(setImmediate);
};

/** Tasks in places, each of which ends when the test says so. */
function openTasks(places: Places): {
  running: (() => void)[];
  ended: unknown[];
  take: () => Promise<boolean>;
} {
  const running: (() => void)[] = [];
  const ended: unknown[] = [];
  const command = async (): Promise<void> =>
    await new Promise<void>((resolve) => void running.push(resolve));
  const take = async (): Promise<boolean> =>
    await places.work(async () => {
      await places.run(command, never).then(
        () => ended.push("done"),
        (error: unknown) => ended.push(error),
      );
      return true;
    });
  return { running, ended, take };
}

describe("Places", () => {
  it("work() takes a task ahead for each place once commands are short, and runs no more than there are places", async () => {
    const clock = new TestClock();
    const places = new Places(2, clock);
    let told = 0;
    places.onRoom(() => told++);
    const { running, ended, take } = openTasks(places);
    const first = [take(), take()];
    await settle();
    assert.equal(await take(), false, "it is not known yet how long commands take");
    clock.pass(10);
    running.shift()?.();
    await settle();
    assert.equal(told, 1);
    const more = [take(), take(), take()];
    await settle();
    assert.equal(running.length, 2);
    assert.equal(await take(), false);
    for (let i = 0; i < 4; i++) {
      running.shift()?.();
      await settle();
    }
    assert.deepEqual(await Promise.all([...first, ...more]), [true, true, true, true, true]);
    assert.equal(ended.length, 5);
  });
  it("run() gives a task back that waits for two seconds, and takes none ahead any more", async () => {
    const clock = new TestClock();
    const places = new Places(1, clock);
    const { running, ended, take } = openTasks(places);
    const short = take();
    await settle();
    running.shift()?.();
    await short;
    const long = [take(), take()];
    await settle();
    clock.pass(2_000);
    await settle();
    assert.ok(isCoded(ended[1], "aborted"));
    assert.equal(await take(), false);
    running.shift()?.();
    await Promise.all(long);
  });
});
