import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { sha256 } from "../base/hash.ts";
import { seededRandom } from "../base/random.ts";
import { KiB, MiB } from "../base/size.ts";
import { blockBytesMin, Cutter, type Cuts } from "./cutter.ts";
import type { RecordFormat } from "./format.ts";
import { chunkBytesMax, chunkBytesMin, findGearCut, gearTable, recordSearchBytes } from "./gear.ts";

/** Random lines; repeatable, and quick to make. */
function lines(bytes: number, seed: number): Buffer {
  const noise = sha256(Buffer.from(`lines ${seed}`));
  const out = Buffer.allocUnsafe(bytes);
  let word = noise.readInt32LE(0) | 1;
  for (let i = 0; i < bytes; i++) {
    word ^= word << 13;
    word ^= word >>> 17;
    word ^= word << 5;
    out[i] = (word & 127) === 5 ? 0x0a : 0x61 + (word & 15);
  }
  return out;
}

function jsonRecords(bytes: number, seed: number): Buffer {
  const text = lines(bytes, seed);
  for (let i = 0; i < bytes; i++) if (text[i] === 0x0a) text[i] = 0x20;
  for (let i = 0; i + 100 < bytes; i += 96) {
    text.write('{"k":[1,"', i);
    text.write('"]}\n  ', i + 90);
  }
  text.fill(0x20, Math.floor((bytes - 100) / 96) * 96 + 96);
  return text;
}

function cutAll(
  source: Buffer,
  format: RecordFormat,
  sizes: readonly number[] = [source.length],
): Cuts {
  let cutter = new Cutter(format);
  const cuts: Cuts = { chunks: [], blocks: [] };
  const take = (more: Cuts): void => {
    cuts.chunks.push(...more.chunks);
    cuts.blocks.push(...more.blocks);
  };
  for (let at = 0, i = 0; at < source.length; i++) {
    const size = Math.max(1, sizes[i % sizes.length]!);
    take(cutter.feed(source.subarray(at, at + size)));
    // As between threads.
    cutter = new Cutter(format, structuredClone(cutter.state));
    at += size;
  }
  take(cutter.end());
  return cuts;
}

function assertWellCut(source: Buffer, cuts: Cuts, isRecordEnd: (offset: number) => boolean): void {
  let start = 0;
  for (const end of cuts.chunks) {
    assert.ok(end - start <= chunkBytesMax, `chunk of ${end - start} bytes`);
    assert.ok(
      end === source.length || end - start > chunkBytesMin,
      `chunk of ${end - start} bytes`,
    );
    start = end;
  }
  assert.equal(start, source.length);
  start = 0;
  for (const end of cuts.blocks) {
    assert.ok(
      end === source.length || (end - start >= blockBytesMin && isRecordEnd(end)),
      `block end ${end}`,
    );
    start = end;
  }
  assert.equal(start, source.length);
}

const text = lines(32 * MiB, 1);
const endsLine = (offset: number): boolean => text[offset - 1] === 0x0a;

test("gearTable is the one of the format", () => {
  const digest = sha256(new Uint8Array(gearTable.buffer)).toString("hex");
  assert.equal(digest, "b4716f1e2ba6518196b65445d55e61e5e2466def25b3564c070d14b6a516f3aa");
  assert.equal(new Set(gearTable).size, 256);
});

test("findGearCut() finds a cut about once in a MiB", () => {
  let count = 0;
  const gear = { hash: 0 };
  for (
    let at = findGearCut(gear, text, 0, text.length);
    at >= 0;
    at = findGearCut(gear, text, at, text.length)
  ) {
    count++;
  }
  assert.ok(count > 16 && count < 64, `${count} cuts in 32 MiB`);
});

test("Cutter cuts lines into chunks at line ends and blocks of 8 MiB", () => {
  const cuts = cutAll(text, "line");
  assertWellCut(text, cuts, endsLine);
  const forced = cuts.chunks.filter((end, i) => end - (cuts.chunks[i - 1] ?? 0) === chunkBytesMax);
  assert.ok(
    cuts.chunks.every((end) => endsLine(end) || forced.includes(end) || end === text.length),
  );
  assert.ok(cuts.chunks.length > 8 && cuts.chunks.length < 28, `${cuts.chunks.length} chunks`);
  assert.equal(cuts.blocks.length, 4);
});

test("Cutter cuts a short stream at its end alone, an empty one nowhere", () => {
  assert.deepEqual(cutAll(Buffer.from("apple\t1\n"), "line"), { chunks: [8], blocks: [8] });
  assert.deepEqual(cutAll(Buffer.alloc(0), "json"), { chunks: [], blocks: [] });
});

test("Cutter cuts the same however the source is sliced", () => {
  const json = jsonRecords(20 * MiB, 2);
  const whole = {
    line: cutAll(text.subarray(0, 20 * MiB), "line"),
    json: cutAll(json, "json"),
    binary: cutAll(text.subarray(0, 20 * MiB), "binary"),
  };
  assert.ok(whole.json.chunks.length > 4 && whole.json.blocks.length === 3);
  const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 300 * KiB }), fc.constant(3 * MiB)), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(sizes, fc.constantFrom("line", "json", "binary"), (slices, format) => {
      fc.pre(slices.reduce((sum, size) => sum + size, 0) / slices.length > 8 * KiB);
      const source = format === "json" ? json : text.subarray(0, 20 * MiB);
      assert.deepEqual(cutAll(source, format, slices), whole[format]);
    }),
    { numRuns: 12, seed: 7 },
  );
});

test("Cutter decides the same around each cut when fed byte by byte", () => {
  for (const format of ["line", "json"] as const) {
    const source = format === "json" ? jsonRecords(12 * MiB, 3) : text.subarray(0, 12 * MiB);
    const whole = cutAll(source, format);
    for (const near of [...whole.chunks, ...whole.blocks].filter((end) => end < source.length)) {
      const sizes = [near - 200, ...Array<number>(400).fill(1), source.length];
      assert.deepEqual(cutAll(source, format, sizes), whole);
    }
  }
});

test("Cutter moves few cuts when bytes are inserted", () => {
  const before = chunkHashes(text);
  for (const at of [10, 15 * MiB + 3]) {
    const edited = Buffer.concat([
      text.subarray(0, at),
      Buffer.from("inserted\n"),
      text.subarray(at),
    ]);
    const fresh = [...chunkHashes(edited)].filter((hash) => !before.has(hash));
    assert.ok(fresh.length <= 3, `${fresh.length} new chunks after an insertion at ${at}`);
  }
});

function chunkHashes(source: Buffer): Set<string> {
  const ends = cutAll(source, "line").chunks;
  return new Set(
    ends.map((end, i) => sha256(source.subarray(ends[i - 1] ?? 0, end)).toString("hex")),
  );
}

test("Cutter leaves a proposed cut where no record ends within 64 KiB", () => {
  const source = Buffer.from(lines(12 * MiB, 4));
  for (let i = 0; i < source.length; i++) if (source[i] === 0x0a) source[i] = 0x61;
  const binary = cutAll(source, "binary");
  const line = cutAll(source, "line");
  const last = binary.chunks.at(-2)!;
  assert.deepEqual(
    line.chunks.filter((end) => end < last),
    binary.chunks.filter((end) => end < last),
  );
  assert.deepEqual(line.blocks, [source.length]);
  assert.ok(source.length - last > recordSearchBytes);
});

test("Cutter ends the last chunk with the stream when a cut was proposed just before", () => {
  const end = cutAll(text, "binary").chunks[0]!;
  const source = Buffer.from(text.subarray(0, end + 10)).fill(0x61, end);
  assert.deepEqual(cutAll(source, "line").chunks, [source.length]);
});

test("Cutter forces a cut after 8 MiB of sameness", () => {
  const zeros = Buffer.alloc(20 * MiB);
  for (const format of ["line", "json", "binary"] as const) {
    assert.deepEqual(cutAll(zeros, format, [MiB]).chunks, [8 * MiB, 16 * MiB, 20 * MiB]);
    assert.deepEqual(cutAll(zeros, format).blocks, [20 * MiB]);
  }
});

test("Cutter ends JSON blocks at values, and none after what is not JSON", () => {
  const json = jsonRecords(30 * MiB, 5);
  const cuts = cutAll(json, "json");
  assertWellCut(json, cuts, (offset) => json[offset - 1] === 0x7d);
  assert.equal(cuts.blocks.length, 4);
  json[17 * MiB - ((17 * MiB) % 96)] = 0x3f;
  const broken = cutAll(json, "json");
  assert.deepEqual(broken.blocks, [...cuts.blocks.slice(0, 2), json.length]);
});

test("Cutter reports a block end no later than the chunk it is in (seed 11)", () => {
  // One number per 16 bytes: ends of numbers show one byte late.
  const numbers = Buffer.alloc(24 * MiB, "1234567 123456 ");
  const random = seededRandom(11);
  const cutter = new Cutter("json");
  let chunked = 0;
  for (let at = 0; at < numbers.length;) {
    const size = 1 + (random.bytes(3).readUIntBE(0, 3) % MiB);
    const cuts = cutter.feed(numbers.subarray(at, at + size));
    assert.ok(cuts.blocks.every((end) => end > chunked));
    chunked = cuts.chunks.at(-1) ?? chunked;
    at += size;
  }
});
