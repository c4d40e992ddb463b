import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Clock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { openLocalPool } from "./open-local-pool.ts";

/** Sleeps end when the test says so. */
function manualClock(): Clock & { wakeAll(): void; sleepers: number } {
  const sleeping = new Set<() => void>();
  return {
    nowMicros: () => 0,
    monotonicMs: () => 0,
    get sleepers() {
      return sleeping.size;
    },
    wakeAll: () => sleeping.forEach((wake) => wake()),
    async sleep(_ms, signal) {
      signal?.throwIfAborted();
      await new Promise<void>((resolve, reject) => {
        sleeping.add(resolve);
        signal?.addEventListener("abort", () => reject(signal.reason as Error));
      }).finally(() => sleeping.clear());
    },
  };
}

const never = new AbortController().signal;
const settle = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await new Promise(setImmediate);
};

describe("openLocalPool()", () => {
  it("keeps at most its slots busy until all work is done", async () => {
    let left = 20;
    let running = 0;
    let runningMax = 0;
    const work = async (): Promise<boolean> => {
      if (left === 0) return false;
      left--;
      runningMax = Math.max(runningMax, ++running);
      await new Promise(setImmediate);
      running--;
      return true;
    };
    const pool = openLocalPool({ slots: 3, work, clock: manualClock(), log: silentLog });
    for (let i = 0; i < 20; i++) await settle();
    assert.equal(left, 0);
    assert.equal(runningMax, 3);
    await pool.close({ signal: never });
  });
  it("looks again on a hint, one given while it looks too, and after a while without", async () => {
    let looked = 0;
    const clock = manualClock();
    const work = async (): Promise<boolean> => {
      if (++looked === 2) pool.hint();
      return await Promise.resolve(false);
    };
    const pool = openLocalPool({ slots: 1, work, clock, log: silentLog });
    await settle();
    assert.equal(looked, 1);
    pool.hint();
    await settle();
    assert.equal(looked, 3);
    clock.wakeAll();
    await settle();
    assert.equal(looked, 4);
    await pool.close({ signal: never });
    assert.equal(looked, 4);
  });
  it("goes on after work that fails", async () => {
    let looked = 0;
    const clock = manualClock();
    const work = async (): Promise<boolean> => {
      looked++;
      return await Promise.reject(new Error("broken"));
    };
    const pool = openLocalPool({ slots: 1, work, clock, log: silentLog });
    await settle();
    pool.hint();
    await settle();
    assert.equal(looked, 2);
    await pool.close({ signal: never });
  });
  it("close() waits for what runs, and stops it when the signal fires", async () => {
    const stop = new AbortController();
    let told = false;
    const work = async (signal: AbortSignal): Promise<boolean> => {
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      told = true;
      return true;
    };
    const pool = openLocalPool({ slots: 2, work, clock: manualClock(), log: silentLog });
    const closing = pool.close({ signal: stop.signal });
    await settle();
    assert.equal(told, false);
    stop.abort();
    await closing;
    assert.equal(told, true);
  });
});
