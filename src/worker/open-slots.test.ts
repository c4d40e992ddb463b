import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { systemClock } from "../base/clock.ts";
import { CodedError } from "../base/errors.ts";
import { silentLog } from "../base/log.ts";
import { seededRandom } from "../base/random.ts";
import type { Dispatcher } from "../dispatcher/index.ts";
import { MemJobServer } from "../dispatcher/mem/open-mem-dispatcher.ts";
import { openSlots, type Slots } from "./open-slots.ts";
import { MemWorkerHost } from "./testing/mem-worker-host.ts";
import type { ClaimedTask } from "./worker-host.ts";

interface Bench {
  readonly host: MemWorkerHost;
  readonly slots: Slots;
  /** What each claim asked for. */
  readonly counts: number[];
  /** Tasks that run; each ends when it is called. */
  readonly running: Map<number, () => void>;
  readonly killed: number[];
  /** The host answers nothing while it is away. */
  isAway: boolean;
}

function openBench(dispatcher?: Dispatcher, clock = systemClock()): Bench {
  const host = new MemWorkerHost(clock);
  const claim = host.claim.bind(host);
  host.claim = async (request) => {
    bench.counts.push(request.count);
    if (bench.isAway) throw new CodedError("unavailable", "away");
    return await claim(request);
  };
  const runTask = async (
    { task }: ClaimedTask,
    { signal }: { signal: AbortSignal },
  ): Promise<void> => {
    const ended = Promise.withResolvers<void>();
    bench.running.set(task, ended.resolve);
    signal.addEventListener("abort", () => {
      bench.killed.push(task);
      ended.resolve();
    });
    await ended.promise;
    bench.running.delete(task);
  };
  const worker = {
    runTask,
    work: async () => await Promise.resolve(false),
    tokens: () => [],
    drop: () => undefined,
    close: async () => await Promise.resolve(),
  };
  const rest = { name: "w", slots: 3, clock, random: seededRandom(1), log: silentLog };
  const parts = { host, counts: [], running: new Map(), killed: [], isAway: false };
  const bench: Bench = Object.assign(parts, {
    slots: openSlots({ host, worker, dispatcher, ...rest }),
  });
  return bench;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

const never = new AbortController().signal;

describe("openSlots()", () => {
  it("openSlots() claims for all that is free, at once", async () => {
    const bench = openBench();
    for (let i = 0; i < 5; i++) bench.host.addTask({ cmd: ["true"] });
    await until(() => bench.running.size === 3);
    assert.equal(bench.counts.at(-1), 3);
    bench.running.get(0)!();
    await until(() => bench.running.has(3));
    assert.equal(bench.counts.at(-1), 1);
    const closing = bench.slots.close(never);
    for (const end of bench.running.values()) end();
    await closing;
    assert.deepEqual(bench.killed, []);
    assert.equal(bench.host.attempts.length, 4);
  });

  it("openSlots() asks a host again that was away", async () => {
    const bench = openBench();
    bench.isAway = true;
    await until(() => bench.counts.length > 0);
    bench.isAway = false;
    bench.host.addTask({ cmd: ["true"] });
    await until(() => bench.running.size === 1);
    bench.running.get(0)!();
    await bench.slots.close(never);
  });

  it("openSlots() asks at a hint, and passes it on when its room is full", async () => {
    const jobServer = new MemJobServer();
    const bench = openBench(jobServer.open());
    const [daemon, other] = [jobServer.open(), jobServer.open()];
    await until(() => bench.counts.length === 1);
    for (let i = 0; i < 5; i++) bench.host.addTask({ cmd: ["true"] });
    daemon.hint();
    await until(() => bench.running.size === 3);
    await other.wait(never);
    const closing = bench.slots.close(never);
    for (const end of bench.running.values()) end();
    await closing;
    assert.deepEqual(bench.killed, []);
  });

  it("openSlots() asks now and then without a hint", async () => {
    const clock = systemClock();
    const slept: number[] = [];
    const soon = async (ms: number, signal?: AbortSignal): Promise<void> => {
      slept.push(ms);
      await clock.sleep(ms / 100, signal);
    };
    const bench = openBench(new MemJobServer().open(), { ...clock, sleep: soon });
    await until(() => bench.counts.length === 1);
    bench.host.addTask({ cmd: ["true"] });
    await until(() => slept.includes(5_000));
    await until(() => bench.running.size === 1);
    bench.running.get(0)!();
    await bench.slots.close(never);
  });

  it("close() kills what still runs when its signal fires", async () => {
    const bench = openBench();
    bench.host.addTask({ cmd: ["true"] });
    await until(() => bench.running.size === 1);
    const bound = new AbortController();
    const closing = bench.slots.close(bound.signal);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(bench.killed, []);
    bound.abort();
    await closing;
    assert.deepEqual(bench.killed, [0]);
  });
});
