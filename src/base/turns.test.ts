import { strict as assert } from "node:assert";
import { test } from "node:test";
import { Turns } from "./turns.ts";

test("take() does work of one name in order, goes on after a failure, and lets other names pass", async () => {
  const turns = new Turns();
  const done: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = turns.take("a", async () => {
    await gate.promise;
    done.push("first");
    throw new Error("failed");
  });
  const second = turns.take("a", async () => {
    done.push("second");
    return 2;
  });
  await turns.take("b", async () => {
    done.push("other");
  });
  gate.resolve();
  await assert.rejects(first, /failed/);
  assert.equal(await second, 2);
  assert.deepEqual(done, ["other", "first", "second"]);
});
