import assert from "node:assert/strict";
import { test } from "node:test";
import { MiB } from "../base/size.ts";
import { openInlineCompute, type Compute } from "./compute.ts";
import { IngestBudget } from "./ingest-budget.ts";
import { cutStream } from "./ingest-cuts.ts";
import { hashWindows } from "./ingest-hashes.ts";
import { slicesOf } from "./testing/storage-harness.ts";

const never = new AbortController().signal;

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
