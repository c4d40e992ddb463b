import assert from "node:assert/strict";
import { it } from "node:test";
import type { Clock } from "../../base/clock.ts";
import { systemClock } from "../../base/clock.ts";
import { isCoded } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { silentLog } from "../../base/log.ts";
import { metadataConformance } from "../testing/conformance.ts";
import * as testModule from "../testing/test-procedures.ts";
import { openInlineSqliteMetadata } from "./open-inline.ts";

metadataConformance(
  "inline sqlite",
  async () => ({ open: async () => openInlineSqliteMetadata({ module: testModule }) }),
  { outlivesClose: false },
);

it("openInlineSqliteMetadata() runs the product's procedures on its schema", async () => {
  const store = openInlineSqliteMetadata();
  await store.close();
});

it("openInlineSqliteMetadata() takes the clock it is given", async () => {
  let micros = 1_000;
  const clock: Clock = { ...systemClock(), nowMicros: () => micros++ };
  const store = testModule.asTestStore(openInlineSqliteMetadata({ module: testModule, clock }));
  assert.deepEqual(await store.call("now", null), [1_000, 1_000]);
  assert.deepEqual(await store.call("now", null), [1_001, 1_001]);
  await store.close();
});

it("call() logs the stack of a broken transaction, and only that", async () => {
  const logged: [object, string][] = [];
  const log: Log = { ...silentLog, error: (facts, message) => logged.push([facts, message]) };
  const store = testModule.asTestStore(openInlineSqliteMetadata({ module: testModule, log }));
  await assert.rejects(store.call("incrementThenRefuse", { name: "a" }));
  assert.equal(logged.length, 0);
  await assert.rejects(store.call("incrementThenBreak", { name: "a" }), (thrown) => {
    assert.ok(isCoded(thrown, "internal"));
    assert.equal(thrown.message, `Transaction "incrementThenBreak" failed: broken on purpose`);
    return true;
  });
  const facts = logged[0]![0];
  assert.match(
    (facts as { stack: string }).stack,
    /TypeError: broken on purpose\n.*incrementThenBreak/s,
  );
  await store.close();
});
