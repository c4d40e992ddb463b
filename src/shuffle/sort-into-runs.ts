import { MiB } from "../base/size.ts";
import type { KeyRules } from "./key-rules.ts";
import {
  blockBytesOf,
  checkMemory,
  memoryBytesDefault,
  memoryBytesMin,
  sortMemory,
} from "./memory-budget.ts";
import type { LineBlock } from "./line-block.ts";
import { mergeBlocks } from "./merge-blocks.ts";
import { mergeInFolder, mergeToRun } from "./merge-runs.ts";
import { type Partitioner, partitionOf } from "./partitioners.ts";
import { RunFolder, type ShuffleFs } from "./run-folder.ts";
import { fileRunSource, pieceBytesMax } from "./run-source.ts";
import { type Run, writeRun } from "./run-writer.ts";
import type { ShuffleCompute, SorterPort } from "./shuffle-compute.ts";
import { type SortedPart, type SpillPlace, spillLines } from "./spill-lines.ts";

/**
 * Shortens lines of equal keys: reads slabs of whole lines in order and gives back lines in any order, cut anywhere.
 * What it gives back stays in the partition; it is called any number of times, on what it gave back before too.
 */
export type Combine = (
  sorted: AsyncIterable<Uint8Array>,
  partition: number,
) => AsyncIterable<Uint8Array>;

export interface SortOptions {
  readonly rules: KeyRules;
  readonly partitions: number;
  readonly partitioner: Partitioner;
  readonly fs: ShuffleFs;
  /** Where runs are written: there already, and nobody else's. */
  readonly directory: string;
  readonly compute: ShuffleCompute;
  readonly combine?: Combine | undefined;
  /** All memory of the sort, but for records that are larger than about an eighth of it; 64 MiB by default. */
  readonly memoryBytesMax?: number;
  /** A longer record is refused, unless it is smaller than that eighth. While a large one is sorted or merged it takes up to twice its size besides. 256 MiB by default. */
  readonly recordBytesMax?: number;
}

/** What became of one partition. */
export interface PartitionRun extends Run {
  readonly partition: number;
}

export interface SortResult {
  /** By partition; one without records has none. The files are the caller's. */
  readonly runs: readonly PartitionRun[];
  /** Of the input. */
  readonly inputBytes: number;
  /** How many runs were written before they were merged. */
  readonly spills: number;
}

const recordBytesMaxDefault = 256 * MiB;

/**
 * Sorts what a program printed into one run for each partition, `part-00000.run` and so on: a line is a record, and a
 * last line without a newline gets one. Records of equal keys keep their order. When it fails, nothing is left.
 *
 * @throws CodedError `too_large` for a record that is too long, `resource_exhausted` when the disk is full,
 * `invalid_argument` for options that do not go together, `cancelled`; and what the input or the combiner throws
 */
export async function sortIntoRuns(
  input: AsyncIterable<Uint8Array>,
  options: SortOptions,
  signal?: AbortSignal,
): Promise<SortResult> {
  const { memoryBytesMax = memoryBytesDefault } = options;
  checkMemory(memoryBytesMax);
  partitionOf(options.partitioner, options.partitions, options.rules);
  const folder = new RunFolder(options.fs, options.directory, "spill");
  const given: string[] = [];
  try {
    const { runs, inputBytes, spills } = await sortInFolder(
      input,
      { ...options, memoryBytesMax, folder },
      signal,
    );
    const named: PartitionRun[] = [];
    for (const run of runs) {
      const name = `part-${String(run.partition).padStart(5, "0")}.run`;
      const path = await folder.giveAway(run.path, name);
      given.push(path);
      named.push({ ...run, path });
    }
    return { runs: named, inputBytes, spills };
  } catch (error) {
    for (const path of given) await folder.remove(path);
    throw error;
  } finally {
    await folder.removeAll();
  }
}

interface Setting extends SortOptions {
  readonly memoryBytesMax: number;
  readonly folder: RunFolder;
}

/** A run of one partition, and which part of the input it holds. */
interface Spill {
  readonly place: SpillPlace;
  readonly run: Run;
}

async function sortInFolder(
  input: AsyncIterable<Uint8Array>,
  setting: Setting,
  signal: AbortSignal | undefined,
): Promise<SortResult> {
  const spilled = new Map<number, Spill[]>();
  const { bytes } = await spillInput(input, setting, spilled, signal);
  const partitions = [...spilled.keys()].sort((a, b) => a - b);
  const runs: PartitionRun[] = [];
  const parallel = setting.combine === undefined ? setting.compute.parallel : 1;
  const atOnce = Math.min(parallel, partitions.length);
  const share = { ...setting, memoryBytesMax: partOf(setting.memoryBytesMax, atOnce) };
  const left = partitions.values();
  const mergeAll = async (): Promise<void> => {
    for (const partition of left) {
      const spills = spilled.get(partition)!.sort((a, b) => compareSpills(a, b));
      const run = await mergeSpills(spills, partition, share, signal);
      if (run !== undefined) runs.push({ ...run, partition });
    }
  };
  await allOf(Array.from({ length: atOnce }, mergeAll));
  const spills = [...spilled.values()].reduce((sum, of) => sum + of.length, 0);
  return { runs: runs.sort((a, b) => a.partition - b.partition), inputBytes: bytes, spills };
}

function partOf(memoryBytesMax: number, parts: number): number {
  return Math.max(memoryBytesMin, Math.floor(memoryBytesMax / parts));
}

function compareSpills({ place: a }: Spill, { place: b }: Spill): number {
  return a.arena - b.arena || a.part - b.part;
}

/** Waits for all, then throws what the first to fail has thrown: nothing is under way any more. */
async function allOf(work: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find(({ status }) => status === "rejected");
  if (failed?.status === "rejected") throw failed.reason;
}

async function spillInput(
  input: AsyncIterable<Uint8Array>,
  setting: Setting,
  spilled: Map<number, Spill[]>,
  signal: AbortSignal | undefined,
): Promise<{ readonly bytes: number }> {
  const { rules, partitions, partitioner, combine, compute } = setting;
  // A combiner works beside its sorter, and what it prints is sorted meanwhile.
  const count = combine === undefined ? compute.parallel : 1;
  const own = partOf(setting.memoryBytesMax, combine === undefined ? 1 : 2);
  const { arenaBytes, tableBytes, blockBytes } = sortMemory(own, count);
  const sorters: SorterPort[] = [];
  /** What a combiner reads. */
  const inFull = (part: SortedPart): AsyncIterable<LineBlock> =>
    mergeBlocks(
      [blocksOf(part)],
      { rules, slabBytes: blockBytes, counted: false, compute },
      signal,
    );
  const open = { rules, partitions, partitioner, tableBytesMax: tableBytes, blockBytes };
  try {
    return await spillLines(
      input,
      {
        arenaBytes,
        takeBytes: 2 * blockBytes,
        recordBytesMax: setting.recordBytesMax ?? recordBytesMaxDefault,
        sorters: count,
        async openSorter() {
          const sorter = await compute.openSorter(open);
          sorters.push(sorter);
          return sorter;
        },
        async store(part, partition, place, codec) {
          const run =
            combine === undefined
              ? await writeRun(part, rules, setting.folder, codec)
              : await combineIntoRun(inFull(part), partition, { ...setting, combine }, signal);
          if (run === undefined) return;
          const spills = spilled.get(partition) ?? [];
          spilled.set(partition, spills);
          spills.push({ place, run });
        },
      },
      signal,
    );
  } finally {
    await Promise.all(sorters.map((sorter) => sorter.close()));
  }
}

async function* blocksOf(part: SortedPart): AsyncGenerator<LineBlock, void, void> {
  yield* part;
}

/** Sorts what a combiner prints; undefined when that is nothing. */
async function combineIntoRun(
  blocks: AsyncIterable<LineBlock>,
  partition: number,
  setting: Setting & { readonly combine: Combine },
  signal: AbortSignal | undefined,
): Promise<Run | undefined> {
  const lines = async function* (): AsyncGenerator<Uint8Array, void, void> {
    for await (const { bytes } of blocks) yield bytes;
  };
  const nested: Setting = {
    ...setting,
    combine: undefined,
    partitions: 1,
    partitioner: { kind: "one" },
    memoryBytesMax: partOf(setting.memoryBytesMax, 2),
  };
  const { runs } = await sortInFolder(setting.combine(lines(), partition), nested, signal);
  return runs[0];
}

async function mergeSpills(
  spills: readonly Spill[],
  partition: number,
  setting: Setting,
  signal: AbortSignal | undefined,
): Promise<Run | undefined> {
  if (spills.length === 1) return spills[0]!.run;
  const { rules, fs, directory, compute, combine, folder, memoryBytesMax } = setting;
  const pieceBytes = Math.min(pieceBytesMax, blockBytesOf(memoryBytesMax));
  const sources = spills.map(({ run }) => fileRunSource(fs, run.path, run.bytes, pieceBytes));
  const own = partOf(memoryBytesMax, combine === undefined ? 1 : 2);
  const merged = mergeInFolder(
    sources,
    { rules, fs, directory, compute, memoryBytesMax: own, counted: combine === undefined },
    folder,
    signal,
  );
  const run =
    combine === undefined
      ? await mergeToRun(merged, setting, folder)
      : await combineIntoRun(merged, partition, { ...setting, combine }, signal);
  for (const { run: spill } of spills) await folder.remove(spill.path);
  return run;
}
