import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import * as fs from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { KiB } from "../base/size.ts";
import { boundariesOf, compareKeys, fileRunSource, groupLines, keyOf, keyRules } from "./index.ts";
import { openInlineShuffleCompute, type PartitionRun, readRunIndex } from "./index.ts";
import { mergeRuns } from "./index.ts";
import {
  inPieces,
  linesOf,
  readMerged,
  sortedPlainly,
  sortHere,
  withDirectory,
} from "./testing/sorting.ts";

/** Sorts each input into a run of its own. */
async function runsOf(
  inputs: readonly Buffer[],
  directory: string,
  rules = keyRules(),
): Promise<PartitionRun[]> {
  const runs: PartitionRun[] = [];
  for (const [i, input] of inputs.entries()) {
    const own = join(directory, String(i));
    await fs.mkdir(own);
    runs.push(
      ...(await sortHere(inPieces(input), own, { rules, memoryBytesMax: 1024 * KiB })).runs,
    );
  }
  return runs;
}

const input = fc
  .array(fc.tuple(fc.integer({ min: -30, max: 300 }), fc.stringMatching(/^[ab]{0,600}$/)), {
    maxLength: 300,
  })
  .map((pairs) => Buffer.from(pairs.map(([key, value]) => `${key}${value}\t${value}\n`).join("")));

const someRules = fc.record({ numeric: fc.boolean(), reverse: fc.boolean() });

describe("mergeRuns()", () => {
  it("gives the lines of a range in order, of equal keys those of the first run first", async () => {
    const cases = fc.record({
      inputs: fc.array(input, { maxLength: 9 }),
      given: someRules,
      from: fc.option(fc.integer({ min: -40, max: 310 }), { nil: undefined }),
      to: fc.option(fc.stringMatching(/^[0-9]{1,3}[ab]{0,600}$/), { nil: undefined }),
      memoryBytesMax: fc.constantFrom(256 * KiB, 64 * 1024 * KiB),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ inputs, given, from, to, memoryBytesMax }) => {
        const rules = keyRules(given);
        const range = {
          from: from === undefined ? undefined : Buffer.from(String(from)),
          to: to === undefined ? undefined : Buffer.from(to),
        };
        await withDirectory(async (directory) => {
          const runs = await runsOf(inputs, directory, rules);
          const merged = await readMerged(runs, directory, { rules, range, memoryBytesMax });
          const expected = linesOf(sortedPlainly(Buffer.concat(inputs), rules)).filter((line) => {
            const key = keyOf(line, rules);
            const isBefore = range.from !== undefined && compareKeys(key, range.from, rules) < 0;
            const isAfter = range.to !== undefined && compareKeys(key, range.to, rules) >= 0;
            return !isBefore && !isAfter;
          });
          assert.equal(String(merged), String(Buffer.concat(expected)));
          assert.equal(readdirSync(directory).length, inputs.length);
        });
      }),
      { numRuns: 40 },
    );
  });

  it("reads only the blocks of a range", async () => {
    const lines = Array.from({ length: 50_000 }, (_, i) => `${100_000 + i}\t${i}\n`);
    await withDirectory(async (directory) => {
      const [run] = await runsOf([Buffer.from(lines.join(""))], directory);
      const source = fileRunSource(fs, run!.path, run!.bytes);
      let read = 0;
      const counted = {
        ...source,
        async *read(...range: Parameters<typeof source.read>) {
          for await (const piece of source.read(...range)) {
            read += piece.length;
            yield piece;
          }
        },
      };
      const compute = openInlineShuffleCompute();
      const range = { from: Buffer.from("120000"), to: Buffer.from("120003") };
      const slabs: Buffer[] = [];
      for await (const slab of mergeRuns([counted], {
        rules: keyRules(),
        fs,
        directory,
        compute,
        range,
      }))
        slabs.push(slab);
      assert.equal(String(Buffer.concat(slabs)), lines.slice(20_000, 20_003).join(""));
      assert.ok(read < run!.bytes / 2, `${read} of ${run!.bytes} bytes`);
    });
  });

  it("refuses runs with any byte changed, and runs of other rules", async () => {
    await withDirectory(async (directory) => {
      const text = Buffer.from(
        Array.from({ length: 400 }, (_, i) => `key${i % 7}\t${i}\n`).join(""),
      );
      const [run] = await runsOf([text], directory);
      const bytes = await fs.readFile(run!.path);
      for (let at = 0; at < bytes.length; at += at < bytes.length - 120 ? 37 : 1) {
        const changed = Buffer.from(bytes);
        changed[at]! ^= 0x10;
        await fs.writeFile(run!.path, changed);
        // Nobody looks at the magic of the begin: the index says where blocks are.
        if (at < 8) continue;
        await assert.rejects(readMerged([run!], directory), { code: "data_loss" }, `byte ${at}`);
      }
      for (const end of [0, 7, 20, bytes.length - 1]) {
        await fs.writeFile(run!.path, bytes.subarray(0, end));
        await assert.rejects(readMerged([{ ...run!, bytes: end }], directory), {
          code: "data_loss",
        });
      }
      await fs.writeFile(run!.path, bytes);
      await assert.rejects(readMerged([run!], directory, { rules: keyRules({ reverse: true }) }), {
        code: "invalid_argument",
      });
    });
  });

  it("stops when it is cancelled or left, and leaves nothing", async () => {
    await withDirectory(async (directory) => {
      const text = (i: number): Buffer => Buffer.from(`${i}\t${"x".repeat(5_000)}\n`.repeat(200));
      const runs = await runsOf([text(1), text(2), text(3), text(4)], directory);
      const sources = runs.map(({ path, bytes }) => fileRunSource(fs, path, bytes));
      const options = {
        rules: keyRules(),
        fs,
        directory,
        compute: openInlineShuffleCompute(),
        memoryBytesMax: 256 * KiB,
      };
      const controller = new AbortController();
      const cancelled = async (): Promise<void> => {
        for await (const _ of mergeRuns(sources, options, controller.signal)) controller.abort();
      };
      await assert.rejects(cancelled(), { code: "cancelled" });
      for await (const _ of mergeRuns(sources, options)) break;
      assert.equal(readdirSync(directory).length, 4);
    });
  });
});

describe("boundariesOf()", () => {
  it("divides what is in runs into ranges of about the same size", async () => {
    const lines = Array.from({ length: 60_000 }, (_, i) => `${(i * 7_919) % 60_013}\t${i}\n`);
    await withDirectory(async (directory) => {
      const halves = [lines.slice(0, 30_000), lines.slice(30_000)].map((half) =>
        Buffer.from(half.join("")),
      );
      const runs = await runsOf(halves, directory);
      const indexes = await Promise.all(
        runs.map(({ path, bytes }) => readRunIndex(fileRunSource(fs, path, bytes), undefined)),
      );
      const boundaries = boundariesOf(indexes, 4, keyRules());
      assert.equal(boundaries.length, 3);
      const bounds = [undefined, ...boundaries, undefined];
      const parts: Buffer[] = [];
      for (let i = 0; i < 4; i++)
        parts.push(
          await readMerged(runs, directory, { range: { from: bounds[i], to: bounds[i + 1] } }),
        );
      assert.equal(
        String(Buffer.concat(parts)),
        String(sortedPlainly(Buffer.concat(halves), keyRules())),
      );
      const total = Buffer.concat(halves).length;
      for (const part of parts)
        assert.ok(part.length > total / 8 && part.length < total / 2.5, String(part.length));
    });
  });

  it("gives fewer when there are not as many keys", () => {
    assert.deepEqual(boundariesOf([], 4, keyRules()), []);
  });
});

describe("groupLines()", () => {
  it("tells where keys change, also across slabs, in the sense of the order", async () => {
    const slabs = async function* (): AsyncGenerator<Buffer, void, void> {
      for (const slab of ["1\ta\n01\tb\n", "1.0\tc\n2\n", "2\td\n", "2\te\n3\t\n"])
        yield Buffer.from(slab);
    };
    const groups: string[] = [];
    for await (const { key, begins, lines, records } of groupLines(
      slabs(),
      keyRules({ numeric: true }),
    ))
      groups.push(
        `${begins ? "+" : "-"} ${String(key)} ${records} ${String(lines).replaceAll("\n", "|")}`,
      );
    assert.deepEqual(groups, [
      "+ 1 2 1\ta|01\tb|",
      "- 1 1 1.0\tc|",
      "+ 2 1 2|",
      "- 2 1 2\td|",
      "- 2 1 2\te|",
      "+ 3 1 3\t|",
    ]);
  });
});
