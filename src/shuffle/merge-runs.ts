import { ahead } from "../base/ahead.ts";
import { throwIfCancelled } from "../base/cancelled.ts";
import { CodedError } from "../base/errors.ts";
import type { KeyRules } from "./key-rules.ts";
import { blockBytesOf, checkMemory, memoryBytesDefault, mergeMemory } from "./memory-budget.ts";
import type { LineBlock } from "./line-block.ts";
import { mergeBlocks } from "./merge-blocks.ts";
import { blocksOfRange, type KeyRange, readBlocks, readRunIndex } from "./read-run.ts";
import { RunFolder, type ShuffleFs } from "./run-folder.ts";
import type { RunIndex } from "./run-format.ts";
import { fileRunSource, pieceBytesMax, type RunSource } from "./run-source.ts";
import { type Run, writeRun } from "./run-writer.ts";
import type { ShuffleCompute } from "./shuffle-compute.ts";

export interface MergeOptions {
  /** As the runs were sorted. */
  readonly rules: KeyRules;
  readonly fs: ShuffleFs;
  /** Where runs are written when there are too many to be merged at once; there already. */
  readonly directory: string;
  readonly compute: ShuffleCompute;
  /** For all but records longer than a block; 64 MiB by default. */
  readonly memoryBytesMax?: number;
  /** Only keys from here on, and before there; everything by default. */
  readonly range?: KeyRange;
}

/** Indexes of runs are fetched so many at a time. */
const fetchedMax = 16;

/** A run whose end has been read. */
interface OpenRun {
  readonly source: RunSource;
  readonly index: RunIndex;
  /** About what it takes to read from it while others are read. */
  readonly memoryBytes: number;
  /** Where it is when it was made on the way. */
  readonly path?: string;
}

/**
 * Lines of sorted runs in order, of equal keys those of the first source first, as slabs of whole lines in memory of
 * their own. Who has done with a slab, the system included, may give its memory back with freeMemory().
 *
 * @throws CodedError `data_loss` when a run is damaged, `invalid_argument` when one is sorted by other rules,
 * `resource_exhausted` when the disk is full, `cancelled`
 */
export async function* mergeRuns(
  sources: readonly RunSource[],
  options: MergeOptions,
  signal?: AbortSignal,
): AsyncGenerator<Buffer, void, void> {
  const folder = new RunFolder(options.fs, options.directory, "merge");
  try {
    const runs = await fewRuns(sources, options, folder, signal);
    const [only] = runs;
    if (only !== undefined && runs.length === 1 && isInFull(only))
      yield* readOnly(only, options, signal);
    else {
      const inFull = { ...options, counted: false };
      for await (const { bytes } of mergeOpen(runs, inFull, signal)) yield bytes;
    }
  } finally {
    await folder.removeAll();
  }
}

/** Whether each line of a run comes once. */
function isInFull({ index }: OpenRun): boolean {
  return index.blocks.every(({ linesBytes, plainBytes }) => linesBytes === plainBytes);
}

/** The same, in a folder that somebody else cleans up; when `counted`, what comes several times stands there once. */
export async function* mergeInFolder(
  sources: readonly RunSource[],
  options: MergeOptions & { readonly counted: boolean },
  folder: RunFolder,
  signal: AbortSignal | undefined,
): AsyncGenerator<LineBlock, void, void> {
  yield* mergeOpen(await fewRuns(sources, options, folder, signal), options, signal);
}

/** Merges neighbours until all that are left can be merged within the budget. */
async function fewRuns(
  sources: readonly RunSource[],
  options: MergeOptions,
  folder: RunFolder,
  signal: AbortSignal | undefined,
): Promise<OpenRun[]> {
  const { memoryBytesMax = memoryBytesDefault, range = {} } = options;
  checkMemory(memoryBytesMax);
  const runs = await openRuns(sources, options.rules, range, signal);
  const sourcesBytesMax = mergeMemory(memoryBytesMax);
  while (runs.length > 2 && sum(runs, (run) => run.memoryBytes) > sourcesBytesMax) {
    const { first, end } = cheapestMerge(runs, sourcesBytesMax);
    const group = runs.slice(first, end);
    const counted = { ...options, counted: true };
    const merged = await mergeToRun(mergeOpen(group, counted, signal), options, folder);
    const source = fileRunSource(
      options.fs,
      merged.path,
      merged.bytes,
      blockBytesOf(memoryBytesMax),
    );
    const index = await readRunIndex(source, signal);
    runs.splice(first, group.length, openRun(source, index, merged.path));
    for (const { path } of group) if (path !== undefined) await folder.remove(path);
  }
  return runs;
}

async function* mergeOpen(
  runs: readonly OpenRun[],
  options: MergeOptions & { readonly counted: boolean },
  signal: AbortSignal | undefined,
): AsyncGenerator<LineBlock, void, void> {
  const { rules, counted, compute, range = {}, memoryBytesMax = memoryBytesDefault } = options;
  const codec = await compute.openCodec();
  try {
    const streams = runs.map((run) => readBlocks(run, range, codec, signal));
    const slabBytes = blockBytesOf(memoryBytesMax);
    yield* mergeBlocks(streams, { rules, slabBytes, counted, compute }, signal);
  } finally {
    await codec.close();
  }
}

/** What does not have to be merged. */
async function* readOnly(
  run: OpenRun,
  { compute, range = {} }: MergeOptions,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer, void, void> {
  const codec = await compute.openCodec();
  try {
    for await (const { bytes } of readBlocks(run, range, codec, signal)) yield bytes;
  } finally {
    await codec.close();
  }
}

/** Runs with something of the range in them. */
async function openRuns(
  sources: readonly RunSource[],
  rules: KeyRules,
  range: KeyRange,
  signal: AbortSignal | undefined,
): Promise<OpenRun[]> {
  const runs: OpenRun[] = [];
  const open = async (source: RunSource): Promise<OpenRun> => {
    const index = await readRunIndex(source, signal);
    if (!sameRules(index.rules, rules))
      throw new CodedError(
        "invalid_argument",
        `Cannot merge the sorted run ${source.name}: it is sorted by another key or order. Sort its input again`,
      );
    return openRun(source, index);
  };
  const begin = (source: RunSource): { value: Promise<OpenRun>; bytes: number } => {
    const value = open(source);
    // Awaited in its turn; until then nobody would hear of a failure.
    value.catch(() => undefined);
    return { value, bytes: 0 };
  };
  for await (const run of ahead(sources, begin, { countMax: fetchedMax, bytesMax: 1 })) {
    throwIfCancelled(signal);
    const { first, end } = blocksOfRange(run.index, range);
    if (end > first) runs.push(run);
  }
  return runs;
}

function sameRules(a: KeyRules, b: KeyRules): boolean {
  return (
    a.keyFields === b.keyFields &&
    a.numeric === b.numeric &&
    a.reverse === b.reverse &&
    Buffer.compare(a.separator, b.separator) === 0
  );
}

function openRun(source: RunSource, index: RunIndex, path?: string): OpenRun {
  const plain = index.blocks.reduce((most, block) => Math.max(most, block.plainBytes), 0);
  const stored = index.blocks.reduce((most, block) => Math.max(most, block.storedBytes), 0);
  // The block that is read, and one that waits or is on its way.
  const memoryBytes = 2 * plain + stored + Math.min(plain, pieceBytesMax);
  return path === undefined ? { source, index, memoryBytes } : { source, index, memoryBytes, path };
}

function storedBytesOf({ index }: OpenRun): number {
  return index.blocks.reduce((total, block) => total + block.plainBytes, 0);
}

function sum(runs: readonly OpenRun[], of: (run: OpenRun) => number): number {
  return runs.reduce((total, run) => total + of(run), 0);
}

/** Neighbours, so that equal keys keep their order; those whose merge copies the least for each run that it saves. */
function cheapestMerge(
  runs: readonly OpenRun[],
  bytesMax: number,
): { readonly first: number; readonly end: number } {
  let best = { first: 0, end: 2, price: Infinity };
  for (let first = 0; first + 2 <= runs.length; first++) {
    let end = first + 2;
    let memory = sum(runs.slice(first, end), (run) => run.memoryBytes);
    while (end < runs.length && memory + runs[end]!.memoryBytes <= bytesMax)
      memory += runs[end++]!.memoryBytes;
    const price = sum(runs.slice(first, end), (run) => storedBytesOf(run)) / (end - first - 1);
    if (price < best.price) best = { first, end, price };
  }
  return best;
}

/** Writes what a merge gives to a new run. */
export async function mergeToRun(
  merged: AsyncIterable<LineBlock>,
  { rules, compute }: Pick<MergeOptions, "rules" | "compute">,
  folder: RunFolder,
): Promise<Run> {
  const codec = await compute.openCodec();
  try {
    return await writeRun(merged, rules, folder, codec);
  } finally {
    await codec.close();
  }
}
