import { strict as assert } from "node:assert";
import { it } from "node:test";
import { seededRandom } from "../base/random.ts";
import { retryDelayMs } from "./retry-policy.ts";

it("retryDelayMs() doubles from half a second and stays below four", () => {
  const ceilings = [500, 1_000, 2_000, 4_000, 4_000];
  const random = seededRandom(1);
  for (const [i, ceiling] of ceilings.entries()) {
    for (let times = 0; times < 50; times++) {
      const delay = retryDelayMs(i + 1, random);
      assert.ok(delay >= ceiling / 2 && delay < ceiling, `${delay} of ${ceiling}`);
    }
  }
  assert.ok(retryDelayMs(20, random) < 4_000);
});
