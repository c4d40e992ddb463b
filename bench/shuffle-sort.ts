import * as fs from "node:fs/promises";
import { join } from "node:path";
import type { Bed, Row } from "./bench.ts";
import { numbers, writeSlices } from "./inputs.ts";
import { race } from "./measure.ts";
import { runOk } from "./programs.ts";
import {
  type Combine,
  fileRunSource,
  freeMemory,
  groupLines,
  keyRules,
  type KeyRules,
  mergeRuns,
  openThreadShuffleCompute,
  type ShuffleCompute,
  sortIntoRuns,
} from "../src/shuffle/index.ts";

const memoryBytesMax = 256 * 2 ** 20;

/** Lines by sorting runs and reading them back, beside `sort` in as much memory; word counts with a combiner, beside `sort | uniq -c`. */
export async function* shuffleSort(bed: Bed): AsyncGenerator<Row, void, void> {
  const bytes = bed.sizeBytes ?? (bed.full ? 2 ** 30 : 2 ** 27);
  const compute = openThreadShuffleCompute();
  const rounds = bed.full ? 3 : 2;
  const inSeconds = (values: readonly number[]): number[] => values.map((ms) => ms / 1_000);
  const size = `${Math.round(bytes / 2 ** 20)} MiB`;
  try {
    const input = join(bed.folder, "input");
    const gnu = `LC_ALL=C sort --parallel=2 -S 256M -T "$0"`;
    await writeSlices(input, randomLines(bytes));
    const whole = keyRules({ keyFields: 0 });
    const sorts = await race({
      rounds,
      runners: {
        shuffle: () => sortFile(bed.folder, whole, compute),
        sort: () => runOk("sh", ["-c", `${gnu} "$0/input" > "$0/sorted"`, bed.folder]),
      },
    });
    await runOk("cmp", [join(bed.folder, "output"), join(bed.folder, "sorted")]);
    yield {
      what: `sort ${size} of lines in 256 MiB`,
      unit: "s",
      values: inSeconds(sorts.shuffle),
      peer: { what: "sort --parallel=2 -S 256M", values: inSeconds(sorts.sort) },
    };
    await writeSlices(input, words(bytes / 4));
    const counts = await race({
      rounds,
      runners: {
        shuffle: () => sortFile(bed.folder, keyRules(), compute, sumCounts),
        sort: () => runOk("sh", ["-c", `${gnu} "$0/input" | uniq -c > "$0/sorted"`, bed.folder]),
      },
    });
    yield {
      what: `count words, a quarter of that, one a line, with a combiner`,
      unit: "s",
      values: inSeconds(counts.shuffle),
      peer: { what: "sort --parallel=2 -S 256M | uniq -c", values: inSeconds(counts.sort) },
    };
  } finally {
    await compute.close();
  }
}

async function* readFile(path: string): AsyncGenerator<Uint8Array, void, void> {
  const file = await fs.open(path);
  try {
    for (;;) {
      const piece = Buffer.allocUnsafeSlow(2 ** 18);
      const { bytesRead } = await file.read(piece, 0, piece.length);
      if (bytesRead === 0) return;
      yield piece.subarray(0, bytesRead);
      freeMemory(piece);
    }
  } finally {
    await file.close();
  }
}

/** Into one run, and out of it as plain lines. */
async function sortFile(
  folder: string,
  rules: KeyRules,
  compute: ShuffleCompute,
  combine?: Combine,
): Promise<void> {
  const directory = join(folder, "runs");
  await fs.mkdir(directory);
  const options = { rules, fs, directory, compute, memoryBytesMax };
  const { runs } = await sortIntoRuns(readFile(join(folder, "input")), {
    ...options,
    partitions: 1,
    partitioner: { kind: "one" },
    combine,
  });
  const sources = runs.map(({ path, bytes }) => fileRunSource(fs, path, bytes));
  const output = await fs.open(join(folder, "output"), "w");
  for await (const slab of mergeRuns(sources, options)) {
    await output.write(slab);
    freeMemory(slab);
  }
  await output.close();
  await fs.rm(directory, { recursive: true });
}

/** Adds up `WORD<tab>N`; a line without a number counts once. */
async function* sumCounts(
  sorted: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  const slabs = async function* (): AsyncGenerator<Buffer, void, void> {
    for await (const slab of sorted) yield Buffer.from(slab.buffer, slab.byteOffset, slab.length);
  };
  let word = "";
  let sum = 0;
  for await (const { key, begins, lines, records } of groupLines(slabs(), keyRules())) {
    if (begins && sum > 0) {
      yield Buffer.from(`${word}\t${sum}\n`);
      sum = 0;
    }
    if (begins) word = Buffer.from(key).toString("latin1");
    const isCounted = lines.length !== records * (key.length + 1);
    if (isCounted)
      for (const [, count] of lines.toString("latin1").matchAll(/\t(\d+)\n/g)) sum += Number(count);
    else sum += records;
  }
  if (sum > 0) yield Buffer.from(`${word}\t${sum}\n`);
}

/** Lines of 20 to 119 printable characters in no order. */
function* randomLines(bytes: number): Generator<Buffer, void, void> {
  const random = numbers();
  for (let left = bytes; left > 0;) {
    const slice = Buffer.allocUnsafe(2 ** 20);
    let at = 0;
    while (at < slice.length - 128) {
      const end = at + 20 + (random() % 100);
      while (at < end) slice[at++] = 32 + (random() % 95);
      slice[at++] = 10;
    }
    yield slice.subarray(0, at);
    left -= at;
  }
}

/** Words as often as in a text: few of them very often. */
function* words(bytes: number): Generator<Buffer, void, void> {
  const random = numbers();
  for (let left = bytes; left > 0;) {
    const lines: string[] = [];
    for (let i = 0; i < 20_000; i++) {
      const rank = Math.floor(50_000 ** ((random() % 1_000_003) / 1_000_003));
      lines.push(`w${(rank * 7_919).toString(36)}\n`);
    }
    const slice = Buffer.from(lines.join(""));
    yield slice;
    left -= slice.length;
  }
}
