import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { rangeOf } from "./plan-ranges.ts";

describe("rangeOf()", () => {
  it("gives each key to exactly one partition, whatever the boundaries", () => {
    const cases = fc.record({
      keys: fc.uniqueArray(fc.integer({ min: 0, max: 99 }), { maxLength: 6 }),
      more: fc.integer({ min: 0, max: 3 }),
      key: fc.integer({ min: 0, max: 99 }),
    });
    fc.assert(
      fc.property(cases, ({ keys, more, key }) => {
        const boundaries = keys.toSorted((a, b) => a - b).map(String);
        const partitions = boundaries.length + 1 + more;
        const holders = Array.from({ length: partitions }, (_, i) => rangeOf(boundaries, i)).filter(
          ({ from, to, isEmpty }) =>
            isEmpty !== true &&
            (from === undefined || Number(from) <= key) &&
            (to === undefined || key < Number(to)),
        );
        assert.equal(holders.length, 1);
      }),
    );
  });
});
