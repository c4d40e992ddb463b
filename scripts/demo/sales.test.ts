import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../src/base/random.ts";
import { fruits, sales, showTotals, totalsOf } from "./sales.ts";

test("sales() makes the same day from the same seed", () => {
  const day = sales(seededRandom(1), 100);
  assert.equal(day, sales(seededRandom(1), 100));
  assert.notEqual(day, sales(seededRandom(2), 100));
  assert.match(day, /^(?:(?:apple|banana|orange)\t(?:[1-9]|10)\n){100}$/);
});

test("totalsOf() adds up a day, and two days add up", () => {
  assert.deepEqual(totalsOf("apple\t2\nbanana\t10\napple\t1\n"), {
    apple: 3,
    banana: 10,
    orange: 0,
  });
  const [monday, tuesday] = [sales(seededRandom(1), 50), sales(seededRandom(2), 50)];
  for (const fruit of fruits) {
    assert.equal(
      totalsOf(monday + tuesday)[fruit],
      totalsOf(monday)[fruit] + totalsOf(tuesday)[fruit],
    );
  }
});

test("showTotals() names every fruit", () => {
  assert.equal(showTotals({ apple: 1, banana: 2, orange: 3 }), "apple 1, banana 2, orange 3");
});
