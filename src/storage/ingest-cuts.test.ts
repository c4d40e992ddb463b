import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../base/random.ts";
import { MiB } from "../base/size.ts";
import { openInlineCompute, type Compute } from "./compute.ts";
import { IngestBudget } from "./ingest-budget.ts";
import { cutStream } from "./ingest-cuts.ts";
import { slicesOf } from "./testing/storage-harness.ts";

/** What scans wait for a thread: only then is their memory taken. */
function queueing(): { compute: Compute; queue: (() => void)[] } {
  const inline = openInlineCompute();
  const queue: (() => void)[] = [];
  const scan: Compute["scan"] = async (task) => {
    await new Promise<void>((resolve) => {
      queue.push(resolve);
    });
    const buffer = Buffer.from((task.buffer.buffer as ArrayBuffer).transfer());
    return await inline.scan({ ...task, buffer });
  };
  return { compute: { ...inline, scan }, queue };
}

test("cutStream() gives no memory away that a scan is still to take", async () => {
  const { compute, queue } = queueing();
  const budget = new IngestBudget(64 * MiB);
  // Another stream is on its way.
  await budget.open().take(1, new AbortController().signal);
  const stopped = new AbortController();
  const options = { format: "binary", compute, budget, signal: stopped.signal } as const;
  const cuts = cutStream(slicesOf(seededRandom(4).bytes(20 * MiB)), options);
  let isFirst = true;
  const first = cuts.next().finally(() => {
    isFirst = false;
  });
  for (; isFirst; await new Promise((resolve) => setTimeout(resolve, 1))) queue.shift()?.();
  (await first).value?.window.free();
  stopped.abort(new Error("the client has gone"));
  await assert.rejects(async () => {
    for await (const { window } of cuts) window.free();
  }, /the client has gone/);
  assert.equal(queue.length, 1, "a scan waits for its thread");
  // What that is given meanwhile is its own.
  const others = Array.from({ length: 6 }, () => budget.memory.take());
  queue.shift()!();
  await new Promise((resolve) => setTimeout(resolve, 20));
  for (const other of others) assert.equal(other.length, 10 * MiB);
  assert.equal(budget.usedBytes, 1);
});
