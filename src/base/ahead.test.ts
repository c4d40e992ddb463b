import { strict as assert } from "node:assert";
import { test } from "node:test";
import { ahead } from "./ahead.ts";

const begun: number[] = [];
const begin = (item: number): { value: number; bytes: number } => {
  begun.push(item);
  return { value: item, bytes: item };
};

test("ahead() begins items before their turn, up to a number of them and of bytes", async () => {
  const seen: number[] = [];
  for await (const item of ahead([1, 1, 1, 1, 9, 1, 1], begin, { countMax: 3, bytesMax: 5 })) {
    seen.push(item);
    if (seen.length === 1) assert.deepEqual(begun, [1, 1, 1, 1]);
  }
  assert.deepEqual(seen, [1, 1, 1, 1, 9, 1, 1]);
});
