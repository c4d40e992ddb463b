import { strict as assert } from "node:assert";
import { test } from "node:test";
import type { ParallelismSpec } from "../model/spec-schema.ts";
import { workersOf } from "./jobs.ts";

const constant = (n: number): ParallelismSpec => ({ strategy: "CONSTANT", constant: n });
const coefficient = (c: number): ParallelismSpec => ({ strategy: "COEFFICIENT", coefficient: c });

/** Spec, slots, machines, and how many workers that makes. */
const table: readonly (readonly [ParallelismSpec, number, number, number])[] = [
  [constant(3), 8, 5, 3],
  [constant(0), 8, 5, 8],
  [coefficient(2), 8, 1, 2],
  [coefficient(0.5), 8, 1, 1],
  [coefficient(0.5), 8, 10, 5],
  [coefficient(2.5), 8, 3, 7],
  [coefficient(0.1), 8, 5, 1],
];

test("workersOf() takes constants as they are, one per slot for 0, and multiplies machines", () => {
  for (const [spec, slots, machines, expected] of table) {
    assert.equal(
      workersOf({ slots, machines }, spec),
      expected,
      JSON.stringify([spec, slots, machines]),
    );
  }
});
