import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { IngestBudget } from "./ingest-budget.ts";

const never = new AbortController().signal;

async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let pending = true;
  void promise.finally(() => {
    pending = false;
  });
  await new Promise(setImmediate);
  return pending;
}

test("IngestBudget lets one stream at a time go beyond the limit", async () => {
  const budget = new IngestBudget(10);
  const [a, b, c] = [budget.open(), budget.open(), budget.open()];
  await a.take(6, never);
  await b.take(4, never);
  await a.take(6, never);
  const waiting = b.take(1, never);
  const behind = c.take(1, never);
  assert.ok(await isPending(waiting));
  await a.take(2, never);
  a.giveBack(10);
  await waiting;
  await behind;
  assert.equal(budget.usedBytes, 10);
});

test("IngestBudget forgets a waiter whose signal fires", async () => {
  const budget = new IngestBudget(10);
  const [a, b, c] = [budget.open(), budget.open(), budget.open()];
  await a.take(12, never);
  const stop = new AbortController();
  const stopped = b.take(5, stop.signal);
  const next = c.take(2, never);
  stop.abort();
  await assert.rejects(stopped, { name: "AbortError" });
  a.giveBack(12);
  await next;
  assert.equal(budget.usedBytes, 2);
});

test("IngestBudget never leaves all streams waiting (property)", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 6 }), { maxLength: 8 }),
      async (streams) => {
        const budget = new IngestBudget(16);
        await Promise.all(
          streams.map(async (steps) => {
            const account = budget.open();
            for (const bytes of steps) {
              await account.take(bytes, never);
              assert.ok(budget.usedBytes <= 16 + 48);
              await Promise.resolve();
            }
            account.giveBack(steps.reduce((sum, bytes) => sum + bytes, 0));
          }),
        );
        assert.equal(budget.usedBytes, 0);
      },
    ),
    { numRuns: 200, seed: 1 },
  );
});
