import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameCache } from "./frame-cache.ts";

test("FrameCache keeps the most recently used within its bytes", () => {
  const cache = new FrameCache(10);
  for (const key of ["a", "b", "c"]) {
    cache.set(key, Buffer.alloc(4));
    cache.get("a");
  }
  assert.deepEqual(
    ["a", "b", "c"].map((key) => cache.get(key) !== undefined),
    [true, false, true],
  );
  cache.set("huge", Buffer.alloc(11));
  assert.equal(cache.get("huge"), undefined);
});

test("FrameCache loads once for all who ask, and again after a failure", async () => {
  const cache = new FrameCache(10);
  let loads = 0;
  const load = async (): Promise<Buffer> => {
    if (++loads === 1) throw new Error("lost");
    return Buffer.from("x");
  };
  const first = await Promise.allSettled([cache.getOrLoad("k", load), cache.getOrLoad("k", load)]);
  assert.deepEqual(
    first.map(({ status }) => status),
    ["rejected", "rejected"],
  );
  await Promise.all([cache.getOrLoad("k", load), cache.getOrLoad("k", load)]);
  assert.equal(loads, 2);
});
