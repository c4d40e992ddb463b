import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { describe, it } from "node:test";
import fc from "fast-check";
import { KiB } from "../base/size.ts";
import { compareKeys, keyOf, keyRules, type KeyRules, type PartitionRun } from "./index.ts";
import { CountReader, LineCounts } from "./line-block.ts";
import {
  inPieces,
  linesOf,
  readMerged,
  sortedPlainly,
  sortHere,
  withDirectory,
} from "./testing/sorting.ts";

describe("LineCounts", () => {
  it("gives counts back as they were added, and nothing where all are 1", () => {
    const counts = fc.array(
      fc.oneof(
        fc.constant(1),
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: 2 ** 50 }),
      ),
      { maxLength: 50 },
    );
    fc.assert(
      fc.property(counts, fc.nat({ max: 3 }), (given, more) => {
        const expected = [...given];
        const added = new LineCounts();
        for (const count of expected) added.add(count);
        if (expected.length > 0 && more > 0) {
          expected[expected.length - 1]! += more;
          added.addToLast(more);
        }
        const lines = Buffer.from("a\n".repeat(expected.length));
        const bytes = added.after(lines);
        if (expected.every((count) => count === 1)) assert.equal(bytes.length, lines.length);
        const reader = new CountReader();
        reader.begin({ bytes, linesEnd: lines.length });
        assert.deepEqual(
          expected.map(() => reader.next()),
          expected,
        );
      }),
    );
  });
});

/** Few different lines, some with the same key or longer than a block, each many times in a row or among others. */
const text = fc.record({ lines: fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 60 }) });
const short = ["", "1", "01\t", "1\ta", "1\tb", "2", "10\tx", "-3", "word", "word\tin one"];
const others = ["word\tin two", "wordy", "\t", "\0\0\0\0\0", "\0\0\0\0\0\0", "k".repeat(40)];
const long = [`${"k".repeat(40)}l`, `long\t${"x".repeat(5_000)}`, "y".repeat(9_000)];
const kinds = [...short, ...others, ...long].map((line) => `${line}\n`);

function bytesOf({ lines }: { readonly lines: readonly (readonly [number, number])[] }): Buffer {
  return Buffer.from(
    lines.map(([kind, times]) => kinds[kind % kinds.length]!.repeat(1 + (times % 90))).join(""),
  );
}

const someRules = fc
  .record({ numeric: fc.boolean(), reverse: fc.boolean(), keyFields: fc.constantFrom(0, 1, 2) })
  .map(keyRules);

describe("lines that come often", () => {
  it("are sorted, divided and merged like others", async () => {
    const cases = fc.record({
      texts: fc.array(text.map(bytesOf), { minLength: 1, maxLength: 4 }),
      rules: someRules,
      partitions: fc.integer({ min: 1, max: 2 }),
      from: fc.option(fc.constantFrom("", "1", "2", "long", "word"), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ texts, rules, partitions, from }) => {
        await withDirectory(async (directory) => {
          const runs = await runsOf(texts, { directory, rules, partitions });
          const range = from === undefined ? {} : { from: Buffer.from(from) };
          const expected = linesOf(sortedPlainly(Buffer.concat(texts), rules)).filter(
            (line) =>
              from === undefined || compareKeys(keyOf(line, rules), range.from!, rules) >= 0,
          );
          for (const memoryBytesMax of [256 * KiB, 8_192 * KiB]) {
            const parts: Buffer[] = [];
            for (let partition = 0; partition < partitions; partition++) {
              const own = runs.filter((run) => run.partition === partition);
              parts.push(await readMerged(own, directory, { rules, memoryBytesMax, range }));
            }
            const all = sortedPlainly(Buffer.concat(parts), rules);
            // Equal keys are all in one partition, so sorting once more does not move them.
            if (partitions === 1) assert.ok(parts[0]!.equals(Buffer.concat(expected)));
            if (!rules.numeric) assert.ok(all.equals(Buffer.concat(expected)));
          }
        });
      }),
      { numRuns: 25 },
    );
  });
});

async function runsOf(
  texts: readonly Buffer[],
  { directory, ...options }: { directory: string; rules: KeyRules; partitions: number },
): Promise<PartitionRun[]> {
  const runs: PartitionRun[] = [];
  for (const [i, bytes] of texts.entries()) {
    const own = `${directory}/${i}`;
    await mkdir(own);
    const sorted = await sortHere(inPieces(bytes), own, { ...options, memoryBytesMax: 256 * KiB });
    runs.push(...sorted.runs);
    assert.equal(
      sorted.runs.reduce((sum, { fullBytes }) => sum + fullBytes, 0),
      bytes.length,
    );
  }
  return runs;
}
