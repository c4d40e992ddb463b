import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Dispatcher } from "../dispatcher.ts";

/** Longer than a hint takes on any machine. */
const longMs = 10_000;
/** In which nothing must happen. */
const quietMs = 150;

/**
 * What every dispatcher does.
 *
 * @param openServer a job server of its own for each test; gives back what opens dispatchers on it
 */
export function dispatcherConformance(
  name: string,
  openServer: (t: TestContext) => Promise<() => Dispatcher>,
): void {
  const setUp = async (t: TestContext): Promise<[Dispatcher, Dispatcher, Dispatcher]> => {
    const open = await openServer(t);
    const all: [Dispatcher, Dispatcher, Dispatcher] = [open(), open(), open()];
    t.after(() => all.forEach((dispatcher) => dispatcher.close()));
    return all;
  };
  /** Whether a hint comes before the time is over. */
  const comes = async (worker: Dispatcher, withinMs: number): Promise<boolean> =>
    await worker.wait(AbortSignal.timeout(withinMs)).then(
      () => true,
      () => false,
    );

  describe(`${name} dispatcher`, () => {
    it("wakes who waits", async (t) => {
      const [daemon, worker] = await setUp(t);
      for (let round = 0; round < 20; round++) {
        const woken = comes(worker, longMs);
        if (round % 2 === 0) await sleep(5);
        daemon.hint();
        assert.ok(await woken, `round ${round}`);
      }
    });
    it("keeps a hint for who comes later, once", async (t) => {
      const [daemon, worker] = await setUp(t);
      for (let i = 0; i < 100; i++) daemon.hint();
      await sleep(quietMs);
      assert.ok(await comes(worker, longMs));
      // Some may have been said while the first was under way.
      for (let more = 0; await comes(worker, quietMs); more++) assert.ok(more < 3);
    });
    it("gives one hint to one worker, and the next to another", async (t) => {
      const [daemon, ann, bob] = await setUp(t);
      const both = [comes(ann, longMs), comes(bob, longMs)];
      daemon.hint();
      await Promise.race(both);
      const late = await Promise.race([Promise.all(both), sleep(quietMs, "one waits")]);
      assert.equal(late, "one waits");
      daemon.hint();
      assert.deepEqual(await Promise.all(both), [true, true]);
    });
    it("loses no hint to a worker that has stopped waiting", async (t) => {
      const [daemon, ann, bob] = await setUp(t);
      assert.equal(await comes(ann, quietMs), false);
      daemon.hint();
      assert.ok(await comes(bob, longMs));
      assert.equal(await comes(ann, quietMs), false);
    });
    it("rejects a wait whose signal has fired, or fires", async (t) => {
      const [, worker] = await setUp(t);
      const reason = new Error("enough");
      await assert.rejects(worker.wait(AbortSignal.abort(reason)), reason);
      const stop = new AbortController();
      const waiting = worker.wait(stop.signal);
      stop.abort(reason);
      await assert.rejects(waiting, reason);
    });
    it("lets a worker pass a hint on", async (t) => {
      const [daemon, ann, bob] = await setUp(t);
      const both = [comes(ann, longMs), comes(bob, longMs)];
      daemon.hint();
      await Promise.race([both[0]!.then(() => ann.hint()), both[1]!.then(() => bob.hint())]);
      assert.deepEqual(await Promise.all(both), [true, true]);
    });
  });
}
