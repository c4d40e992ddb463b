import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Ranges } from "./ranges.ts";

const bytesMax = 64;
const range = fc
  .tuple(fc.nat(bytesMax), fc.nat(bytesMax))
  .map(([a, b]) => ({ start: Math.min(a, b), end: Math.max(a, b) }));
const steps = fc.array(
  fc.oneof(
    range.map((value) => ({ op: "add" as const, value })),
    fc.nat(bytesMax).map((value) => ({ op: "cut" as const, value })),
  ),
);

describe("Ranges", () => {
  it("Ranges.split() tells byte for byte what was added and not cut", () => {
    fc.assert(
      fc.property(steps, range, (all, asked) => {
        const ranges = new Ranges();
        const expected = Array.from({ length: bytesMax + 1 }, () => false);
        for (const step of all) {
          if (step.op === "add") {
            ranges.add(step.value);
            expected.fill(true, step.value.start, step.value.end);
          } else {
            ranges.cut(step.value);
            expected.fill(false, step.value);
          }
        }
        const parts = Array.from(ranges.split(asked));
        const told = parts.flatMap(({ start, end, isIn }) =>
          Array.from({ length: end - start }, () => isIn),
        );
        assert.deepEqual(told, expected.slice(asked.start, asked.end));
        for (const [index, part] of parts.entries()) {
          assert.ok(part.end > part.start);
          assert.notEqual(part.isIn, parts[index + 1]?.isIn, "parts that touch are alike");
        }
      }),
    );
  });
});
