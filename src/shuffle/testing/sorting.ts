import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  fileRunSource,
  type KeyRange,
  keyRules,
  type KeyRules,
  mergeRuns,
  openInlineShuffleCompute,
  type PartitionRun,
  sortIntoRuns,
  type SortOptions,
  type SortResult,
} from "../index.ts";
import { compareKeys, keyOf } from "../key-rules.ts";

/** An empty directory for one piece of work, gone afterwards. */
export async function withDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await fs.mkdtemp(join(tmpdir(), "mammoth-shuffle-"));
  try {
    return await work(directory);
  } finally {
    await fs.rm(directory, { recursive: true, force: true });
  }
}

/** A stream of bytes in pieces of so many. */
export async function* inPieces(
  bytes: Uint8Array,
  pieceBytes = 7_001,
): AsyncGenerator<Uint8Array, void, void> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

export type Overrides = Partial<SortOptions>;

/** Sorts on this thread, into one partition by default. */
export async function sortHere(
  input: AsyncIterable<Uint8Array>,
  directory: string,
  overrides: Overrides = {},
  signal?: AbortSignal,
): Promise<SortResult> {
  const options: SortOptions = {
    rules: keyRules(),
    partitions: 1,
    partitioner: { kind: "hash" },
    fs,
    directory,
    compute: openInlineShuffleCompute(),
    ...overrides,
  };
  return await sortIntoRuns(input, options, signal);
}

/** What runs hold, merged. */
export async function readMerged(
  runs: readonly Pick<PartitionRun, "path" | "bytes">[],
  directory: string,
  overrides: {
    readonly rules?: KeyRules;
    readonly range?: KeyRange;
    readonly memoryBytesMax?: number;
  } = {},
): Promise<Buffer> {
  const sources = runs.map(({ path, bytes }) => fileRunSource(fs, path, bytes));
  const compute = openInlineShuffleCompute();
  const options = { rules: keyRules(), fs, directory, compute, ...overrides };
  const slabs: Buffer[] = [];
  for await (const slab of mergeRuns(sources, options)) slabs.push(slab);
  return Buffer.concat(slabs);
}

/** The lines of a stream, each with its newline; the last one gets one. */
export function linesOf(bytes: Uint8Array): Buffer[] {
  const all = Buffer.from(bytes);
  const lines: Buffer[] = [];
  for (let at = 0; at < all.length;) {
    const end = all.indexOf("\n", at);
    if (end < 0) {
      lines.push(Buffer.concat([all.subarray(at), Buffer.from("\n")]));
      break;
    }
    lines.push(all.subarray(at, end + 1));
    at = end + 1;
  }
  return lines;
}

/** The same lines, sorted in the plainest way. */
export function sortedPlainly(bytes: Uint8Array, rules: KeyRules): Buffer {
  const lines = linesOf(bytes);
  // Array.prototype.sort() keeps the order of equals.
  lines.sort((a, b) => compareKeys(keyOf(a, rules), keyOf(b, rules), rules));
  return Buffer.concat(lines);
}
