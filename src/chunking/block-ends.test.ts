// Goal: blocks that are put end where blocks of files do. Method: both are given the same chance streams.
import { strict as assert } from "node:assert";
import { test } from "node:test";
import fc from "fast-check";
import { MiB } from "../base/size.ts";
import { BlockEnds } from "./block-ends.ts";
import { Cutter } from "./cutter.ts";
import type { RecordFormat } from "./format.ts";

/** What a cutter says, without the end of the stream. */
function endsOfCutter(format: RecordFormat, parts: readonly Buffer[]): number[] {
  const cutter = new Cutter(format);
  return parts.flatMap((part) => cutter.feed(part).blocks);
}

function endsAlone(format: RecordFormat, parts: readonly Buffer[]): number[] {
  const ends = new BlockEnds(format);
  let base = 0;
  return parts.flatMap((part) => {
    const found = ends.feed(part).map((end) => base + end);
    base += part.length;
    return found;
  });
}

/** Records of all lengths, some with what is special in them, about `bytes` altogether. */
function streamOf(seed: number, bytes: number): Buffer {
  const records = ['{"a":[1,2]}', "12", " 3\n", '"x\\"y"', "line\n", "x".repeat(70_000), "\n"];
  const parts: string[] = [];
  for (let held = 0, at = seed; held < bytes; at = (at * 1_103_515_245 + 12_345) % 2 ** 31) {
    const record = at % 97 === 0 ? records[5]! : records[at % records.length]!.repeat(200);
    parts.push(record);
    held += record.length;
  }
  return Buffer.from(parts.join(""));
}

test("BlockEnds ends blocks where Cutter does, however the stream is sliced", () => {
  fc.assert(
    fc.property(
      fc.constantFrom<RecordFormat>("line", "json", "binary"),
      fc.nat(2 ** 20),
      fc.array(fc.integer({ min: 1, max: 9 * MiB }), { maxLength: 6 }),
      (format, seed, lengths) => {
        const stream =
          format === "json"
            ? Buffer.from('{"a":[1,2]} 12 "x"\n'.repeat(1 + (seed % 5) * 250_000))
            : streamOf(seed, 18 * MiB);
        const parts: Buffer[] = [];
        let at = 0;
        for (const length of lengths) {
          parts.push(stream.subarray(at, at + length));
          at += length;
        }
        parts.push(stream.subarray(at));
        assert.deepEqual(endsAlone(format, parts), endsOfCutter(format, parts));
      },
    ),
    { numRuns: 8 },
  );
});

test("BlockEnds says 0 when a block ended with the bytes before", () => {
  const ends = new BlockEnds("json");
  assert.deepEqual(ends.feed(Buffer.from("1".repeat(8 * MiB))), []);
  assert.deepEqual(ends.feed(Buffer.from(" 2")), [0]);
});
