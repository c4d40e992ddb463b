import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import * as fs from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { promisify } from "node:util";
import { KiB, MiB } from "../base/size.ts";
import {
  keyOf,
  keyRules,
  openThreadShuffleCompute,
  partitionOf,
  type Partitioner,
  type ShuffleCompute,
  type ShuffleFs,
} from "./index.ts";
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

  it("gives no run for no input, and one for a line without newline", async () => {
    await withDirectory(async (directory) => {
      const none = await sortHere(inPieces(Buffer.alloc(0)), directory);
      assert.deepEqual(none, { runs: [], inputBytes: 0, spills: 0 });
      const one = await sortHere(inPieces(Buffer.from("b\na")), directory);
      assert.equal(String(await readMerged(one.runs, directory)), "a\nb\n");
      assert.equal(one.inputBytes, 3);
    });
  });

  it("takes a record far larger than its memory, among small ones, on threads", async () => {
    const giant = Buffer.concat([
      Buffer.from("m\t"),
      Buffer.alloc(20 * MiB, "x"),
      Buffer.from("\n"),
    ]);
    const input = Buffer.concat([Buffer.from("z\nm\tfirst\n"), giant, Buffer.from("m\tlast\na")]);
    await using threads = openThreads();
    const { compute } = threads;
    await withDirectory(async (directory) => {
      const { runs } = await sortHere(inPieces(input, 64 * KiB), directory, {
        memoryBytesMax: MiB,
        compute,
      });
      const sorted = await readMerged(runs, directory, { memoryBytesMax: MiB });
      assert.ok(sorted.equals(sortedPlainly(input, keyRules())));
      await assert.rejects(
        sortHere(inPieces(input, 64 * KiB), directory, {
          memoryBytesMax: MiB,
          recordBytesMax: 10 * MiB,
          compute,
        }),
        { code: "too_large", message: /a record of more than 10485760 bytes/ },
      );
      assert.deepEqual(readdirSync(directory), ["part-00000.run"]);
    });
  });

  it("keeps the order of 300 000 equal keys, sorted by several threads and merged", async () => {
    const input = Buffer.from(Array.from({ length: 300_000 }, (_, i) => `same\t${i}\n`).join(""));
    await using threads = openThreads();
    const { compute } = threads;
    await withDirectory(async (directory) => {
      const { runs, spills } = await sortHere(inPieces(input), directory, {
        memoryBytesMax: MiB,
        compute,
      });
      assert.ok(spills > 4, `${spills} spills`);
      assert.ok((await readMerged(runs, directory)).equals(input));
    });
  });

  it("sums with a combiner as without one, whatever the memory and the order in which it prints", async () => {
    const words = Array.from({ length: 40_000 }, (_, i) => `word${(i * 7_919) % 1_013}\t1\n`);
    const input = Buffer.from(words.join(""));
    for (const memoryBytesMax of [256 * KiB, 16 * MiB])
      await withDirectory(async (directory) => {
        const { runs } = await sortHere(inPieces(input), directory, {
          partitions: 3,
          memoryBytesMax,
          combine: sumBackwards,
        });
        const lines = linesOf(await readMerged(runs, directory)).map(String);
        assert.deepEqual(lines.toSorted(), summed(words).toSorted());
        assert.equal(readdirSync(directory).length, runs.length);
      });
  });

  it("leaves nothing when it is cancelled, also while its input hangs", async () => {
    for (const after of [0, 300, 2_000])
      await withDirectory(async (directory) => {
        const controller = new AbortController();
        const sorting = sortHere(
          hanging(after, () => controller.abort()),
          directory,
          { memoryBytesMax: 256 * KiB },
          controller.signal,
        );
        await assert.rejects(sorting, { code: "cancelled" });
        assert.deepEqual(readdirSync(directory), []);
      });
  });

  it("says that the disk is full, at every write, and leaves nothing", async () => {
    const input = Buffer.from(
      Array.from({ length: 60_000 }, (_, i) => `${i % 977}\t${i}\n`).join(""),
    );
    for (const writes of [0, 1, 3, 8, 20, 40])
      await withDirectory(async (directory) => {
        const sorting = sortHere(inPieces(input), directory, {
          partitions: 2,
          memoryBytesMax: 256 * KiB,
          fs: fullAfter(writes),
        });
        await assert.rejects(sorting, { code: "resource_exhausted", message: /the disk is full/ });
        assert.deepEqual(readdirSync(directory), []);
      });
  });

  it("finishes writes that the system cuts short", async () => {
    const input = Buffer.from(
      Array.from({ length: 20_000 }, (_, i) => `${i % 977}\t${i}\n`).join(""),
    );
    await withDirectory(async (directory) => {
      const { runs } = await sortHere(inPieces(input), directory, { fs: shortWrites() });
      assert.ok((await readMerged(runs, directory)).equals(sortedPlainly(input, keyRules())));
    });
  });

  it("throws what its input or its combiner throws, and leaves nothing", async () => {
    const broken = async function* (): AsyncGenerator<Uint8Array, void, void> {
      yield Buffer.from("a\n".repeat(100_000));
      throw new Error("the mapper is gone");
    };
    await withDirectory(async (directory) => {
      await assert.rejects(sortHere(broken(), directory, { memoryBytesMax: 256 * KiB }), {
        message: "the mapper is gone",
      });
      await assert.rejects(
        sortHere(inPieces(Buffer.from("a\nb\n")), directory, { combine: () => broken() }),
        { message: "the mapper is gone" },
      );
      assert.deepEqual(readdirSync(directory), []);
    });
  });

  it("takes little more memory for ten times as much as its budget", async () => {
    // MEMORY,INPUT in MiB; longer by choice.
    const [memoryMiB, inputMiB] = (process.env["MAMMOTH_TEST_SORT_MIB"] ?? "4,40").split(",");
    const program = join(import.meta.dirname, "testing", "sort-lines.ts");
    await withDirectory(async (directory) => {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        // Both as the launcher has them: garbage would otherwise be more than what is measured.
        ["--max-semi-space-size=4", program, directory, String(memoryMiB), String(inputMiB)],
        { env: { ...process.env, MALLOC_ARENA_MAX: "2" } },
      );
      const { records, before, peak } = JSON.parse(stdout) as Record<string, number>;
      assert.ok(records! > 250_000, String(records));
      // Some of the runtime's own garbage comes on top; all of the input would be far more.
      const growthMax = (Number(memoryMiB) + 32) * MiB;
      assert.ok(peak! - before! < growthMax, `${before} to ${peak} bytes`);
    });
  });
});

function openThreads(): AsyncDisposable & { readonly compute: ShuffleCompute } {
  const compute = openThreadShuffleCompute();
  return { compute, [Symbol.asyncDispose]: () => compute.close() };
}

/** A combiner that prints the last key first. */
async function* sumBackwards(sorted: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const lines: string[] = [];
  for await (const slab of sorted) lines.push(...linesOf(slab).map(String));
  for (const line of summed(lines).reverse()) yield Buffer.from(line);
}

function summed(lines: readonly string[]): string[] {
  const sums = new Map<string, number>();
  for (const line of lines) {
    const [key, value] = line.trimEnd().split("\t");
    sums.set(key!, (sums.get(key!) ?? 0) + Number(value));
  }
  return [...sums].map(([key, sum]) => `${key}\t${sum}\n`);
}

/** Lines, then a stream that never goes on. */
async function* hanging(lines: number, onHang: () => void): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < lines; i++) yield Buffer.from(`${i}\t${"x".repeat(500)}\n`);
  setImmediate(onHang);
  await new Promise<never>(() => undefined);
}

/** A disk that takes so many writes. */
function fullAfter(writes: number): ShuffleFs {
  let left = writes;
  return withWrite(async (write) => {
    if (left-- <= 0) throw Object.assign(new Error("no space"), { code: "ENOSPC", errno: -28 });
    return await write(undefined);
  });
}

/** A disk that takes at most 1 000 bytes at once. */
function shortWrites(): ShuffleFs {
  return withWrite((write) => write(1_000));
}

type Write = (lengthMax: number | undefined) => Promise<{ bytesWritten: number }>;

function withWrite(around: (write: Write) => Promise<{ bytesWritten: number }>): ShuffleFs {
  return {
    rm: fs.rm,
    rename: fs.rename,
    async open(...args) {
      const handle = await fs.open(...args);
      const write = handle.write.bind(handle) as (
        bytes: Uint8Array,
        at: number,
        length: number,
      ) => Promise<{ bytesWritten: number }>;
      const replaced = (bytes: Uint8Array, at = 0, length = bytes.length - at) =>
        around((max) => write(bytes, at, Math.min(length, max ?? length)));
      return Object.assign(handle, { write: replaced });
    },
  };
}
