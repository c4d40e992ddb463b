import { CodedError } from "../base/errors.ts";
import { KiB, MiB } from "../base/size.ts";

/** Of a sort or merge, when nothing else is said. */
export const memoryBytesDefault = 64 * MiB;
/** Less would not hold the blocks of two runs. */
export const memoryBytesMin = 256 * KiB;

const blockBytesMax = 256 * KiB;
const blockBytesMin = 4 * KiB;

/** Blocks of one sorter that are on their way to disk: given out, compressed, written. */
const blocksUnderWay = 8;

/** What the runtime takes beside: objects to be collected, contexts of the compressor, gaps between buffers. */
const besideBytesMax = 24 * MiB;
const besideShare = 3 / 8;

/** How much memory each part of a sort may take; together no more than the budget. */
export interface SortMemory {
  /** Lines are sorted in arenas of this size: one for each sorter, and one that is filled meanwhile. */
  readonly arenaBytes: number;
  /** Beside the lines of one arena. */
  readonly tableBytes: number;
  readonly blockBytes: number;
}

/** Lines are cut into blocks of this size; the less memory there is, the smaller, so that more runs can be merged at once. */
export function blockBytesOf(memoryBytesMax: number): number {
  return Math.min(blockBytesMax, Math.max(blockBytesMin, Math.floor(memoryBytesMax / 256)));
}

/** @throws CodedError `invalid_argument` for a budget that is too small */
export function checkMemory(memoryBytesMax: number): void {
  if (!(memoryBytesMax >= memoryBytesMin))
    throw new CodedError(
      "invalid_argument",
      `Cannot sort in ${memoryBytesMax} bytes of memory: give ${memoryBytesMin} (256 KiB) or more`,
    );
}

function besideOf(memoryBytesMax: number): number {
  return Math.min(besideBytesMax, besideShare * memoryBytesMax);
}

/** What the sources of one merge may take together. */
export function mergeMemory(memoryBytesMax: number): number {
  return memoryBytesMax - besideOf(memoryBytesMax) - blocksUnderWay * blockBytesOf(memoryBytesMax);
}

/** Divides a budget among so many sorters. */
export function sortMemory(memoryBytesMax: number, sorters: number): SortMemory {
  const blockBytes = blockBytesOf(memoryBytesMax);
  const shared = memoryBytesMax - besideOf(memoryBytesMax) - sorters * blocksUnderWay * blockBytes;
  // Tables of three quarters suffice for lines of 24 bytes; of shorter ones, less than an arena is sorted at a time.
  const arenaBytes = Math.floor(shared / (sorters + 1 + 0.75 * sorters));
  return { arenaBytes, tableBytes: Math.floor(0.75 * arenaBytes), blockBytes };
}
