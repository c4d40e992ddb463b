import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import { KiB } from "../base/size.ts";
import { keyOf, partitionOf, type Partitioner } from "./index.ts";
import {
  inPieces,
  linesOf,
  readMerged,
  sortedPlainly,
  sortHere,
  withDirectory,
} from "./testing/sorting.ts";

/** Bytes with many newlines, separators, zeros and equal beginnings. */
const junk = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom("a", "ab", "\t", "\n", "\0", "\r", "é", ",") },
      { weight: 2, arbitrary: fc.constantFrom("aaaaaaaa", "aaaaaaaaaaaaaaaaa", "10", "9", "-3.5") },
      { weight: 1, arbitrary: fc.string({ maxLength: 40, unit: "binary" }) },
    ),
    { maxLength: 3_000 },
  )
  .map((parts) => Buffer.from(parts.join("")));

const someRules = fc.record({
  separator: fc.constantFrom("\t", ",", "ab").map((text) => Buffer.from(text)),
  keyFields: fc.constantFrom(0, 1, 2),
  numeric: fc.boolean(),
  reverse: fc.boolean(),
});

describe("sortIntoRuns()", () => {
  it("sorts any bytes like the plainest sort, whatever the memory and the number of partitions", async () => {
    const cases = fc.record({
      bytes: junk,
      rules: someRules,
      partitions: fc.integer({ min: 1, max: 5 }),
      pieceBytes: fc.integer({ min: 1, max: 20_000 }),
      repeat: fc.constantFrom(1, 1, 60),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ bytes, rules, partitions, pieceBytes, repeat }) => {
        const input = Buffer.concat(Array.from({ length: repeat }, () => bytes));
        await withDirectory(async (directory) => {
          const partitioner: Partitioner = { kind: "hash" };
          const { runs } = await sortHere(
            inPieces(input, Math.max(pieceBytes, input.length / 100)),
            directory,
            { rules, partitions, partitioner, memoryBytesMax: 256 * KiB },
          );
          const place = partitionOf(partitioner, partitions, rules);
          for (let partition = 0; partition < partitions; partition++) {
            const lines = linesOf(input).filter((line) => {
              const key = keyOf(line, rules);
              return place(key, 0, key.length) === partition;
            });
            const run = runs.filter((each) => each.partition === partition);
            assert.equal(run.length, lines.length > 0 ? 1 : 0);
            const sorted = await readMerged(run, directory, { rules });
            assert.deepEqual(sorted, sortedPlainly(Buffer.concat(lines), rules));
            assert.equal(run[0]?.records ?? 0, lines.length);
          }
          assert.equal(readdirSync(directory).length, runs.length);
        });
      }),
      { numRuns: 60 },
    );
  });
});
