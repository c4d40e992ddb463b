import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../base/random.ts";
import { MiB } from "../base/size.ts";
import { openInlineCompute, type Compute } from "./compute.ts";
import { IngestBudget } from "./ingest-budget.ts";
import { cutStream } from "./ingest-cuts.ts";
import { hashWindows } from "./ingest-hashes.ts";
import { slicesOf } from "./testing/storage-harness.ts";

const never = new AbortController().signal;

const noise = seededRandom(3).bytes(11 * MiB);

async function* stalling(bytes: Buffer): AsyncGenerator<Uint8Array, void, void> {
  yield* slicesOf(bytes);
  await new Promise(() => undefined);
}

/** Cuts and hashes 16 MiB; frees each window as whoever stores it does. */
async function hashAll(compute: Compute, budget: IngestBudget): Promise<void> {
  const options = { format: "binary", compute, budget, signal: never } as const;
  const cuts = cutStream(slicesOf(Buffer.alloc(16 * MiB, 7)), options);
  for await (const { window } of hashWindows(cuts, compute)) window.free();
}

for (const failing of ["scan", "hash"] as const)
  for (const from of [1, 2])
    test(`hashWindows() gives all memory back when ${failing} fails the ${from}. time`, async () => {
      const compute = openInlineCompute();
      const work = compute[failing].bind(compute) as (task: never) => Promise<never>;
      let calls = 0;
      const fail = async (task: never): Promise<never> => {
        if (++calls >= from) throw new Error("the thread has died");
        return await work(task);
      };
      const budget = new IngestBudget(64 * MiB);
      await assert.rejects(hashAll({ ...compute, [failing]: fail }, budget), /has died/);
      await new Promise(setImmediate);
      assert.equal(budget.usedBytes, 0);
    });

test("hashWindows() gives away what is hashed though nothing more comes, and all memory at the end", async () => {
  const compute = openInlineCompute();
  const budget = new IngestBudget(64 * MiB);
  const stop = new AbortController();
  const options = { format: "binary", compute, budget, signal: stop.signal } as const;
  const windows = hashWindows(cutStream(stalling(noise), options), compute);
  let bytes = 0;
  while (bytes < 8 * MiB) {
    const next = await windows.next();
    assert.ok(next.done !== true);
    for (const { start, end } of next.value.chunks) bytes += end - start;
    next.value.window.free();
  }
  const left = windows.next();
  stop.abort(new Error("gone"));
  await assert.rejects(left, /gone/);
  await new Promise(setImmediate);
  assert.equal(budget.usedBytes, 0);
});

test("hashWindows() gives all memory back when nobody wants more of a source that hangs", async () => {
  const compute = openInlineCompute();
  const budget = new IngestBudget(64 * MiB);
  const stop = new AbortController();
  const options = { format: "binary", compute, budget, signal: stop.signal } as const;
  for await (const { window } of hashWindows(cutStream(stalling(noise), options), compute)) {
    window.free();
    break;
  }
  stop.abort(new Error("gone"));
  await new Promise(setImmediate);
  assert.equal(budget.usedBytes, 0);
});
