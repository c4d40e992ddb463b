import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../../base/clock.ts";
import { isCoded } from "../../base/errors.ts";
import { nextTurn } from "../../base/next-turn.ts";
import { seededRandom } from "../../base/random.ts";
import { KiB } from "../../base/size.ts";
import { GarbageBed, type InstantClock } from "../testing/garbage-bed.ts";

const never = new AbortController().signal;

/** Who sleeps longer than a poll sleeps until it is rung for. */
class AlarmClock implements Clock {
  private readonly clock: InstantClock;
  private alarm = Promise.withResolvers<void>();

  constructor(clock: InstantClock) {
    this.clock = clock;
  }

  nowMicros(): number {
    return this.clock.nowMicros();
  }

  monotonicMs(): number {
    return this.clock.monotonicMs();
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms < 5_000) return await this.clock.sleep(ms, signal);
    await Promise.race([this.alarm.promise, this.clock.sleep(ms, signal)]);
  }

  async ring(): Promise<void> {
    this.alarm.resolve();
    this.alarm = Promise.withResolvers();
    // The renewal has its turns.
    for (let turn = 0; turn < 10; turn++) await nextTurn();
  }
}

/** A run over garbage whose removal of an object takes as long as `slow`. */
async function collectSlowly(bed: GarbageBed, slow: (clock: AlarmClock) => Promise<void>) {
  const { storage, put } = await bed.open();
  const texts = Array.from({ length: 4 }, (_, i) => seededRandom(i).bytes(100 * KiB));
  await put("dropped", texts);
  await storage.indexPending(never);
  await bed.drop("dropped");
  await storage.close();
  const clock = new AlarmClock(bed.clock);
  const daemon = await bed.open(
    {
      before: async ({ name }) => {
        if (name === "remove") await slow(clock);
      },
    },
    { clock },
  );
  return await daemon.storage.collectGarbage({ isDryRun: false }, never);
}

const other = { token: "other" };

test("collectGarbage() keeps its lease while one of its steps takes long, and no longer", async () => {
  const bed = new GarbageBed();
  const report = await collectSlowly(bed, async (clock) => {
    for (let i = 0; i < 4; i++) {
      bed.pass(30_000);
      await clock.ring();
    }
    assert.equal(await bed.metadata.call("beginGarbageRun", other), false);
  });
  assert.equal(report.removedPacks, 1);
  assert.equal(await bed.metadata.call("beginGarbageRun", other), true);
});

test("collectGarbage() ends when another daemon has taken it over, whatever it does", async () => {
  const bed = new GarbageBed();
  const run = collectSlowly(bed, async (clock) => {
    bed.pass(120_000);
    assert.equal(await bed.metadata.call("beginGarbageRun", other), true);
    await clock.ring();
  });
  await assert.rejects(run, (error) => isCoded(error, "aborted"));
  assert.equal(await bed.metadata.call("beginGarbageRun", { token: "third" }), false);
});
