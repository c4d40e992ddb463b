import { KiB, MiB } from "../base/size.ts";

/** Bytes after a cut that are skipped without looking, so no chunk but the last is shorter. Part of the format. */
export const chunkBytesMin = MiB;
/** No chunk is longer. Part of the format. */
export const chunkBytesMax = 8 * MiB;
/** A proposed cut moves to the next record end when one comes within this many bytes. Part of the format. */
export const recordSearchBytes = 64 * KiB;

/** The upper 20 bits: one byte in 2^20 proposes a cut, so the mean chunk is 1 MiB skipped plus 1 MiB. */
const cutMask = 0xfffff000 | 0;
const tableSeed = 0x6d616d6d;

/** One random word per byte value, from mulberry32 with a fixed seed. Part of the format. */
export const gearTable: Int32Array = makeTable(tableSeed);

function makeTable(seed: number): Int32Array {
  const table = new Int32Array(256);
  let state = seed;
  for (let i = 0; i < 256; i++) {
    state = (state + 0x6d2b79f5) | 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    table[i] = word ^ (word >>> 14);
  }
  return table;
}

/** A gear hash on its way through a stream. Plain data: it crosses threads. */
export interface Gear {
  hash: number;
}

/**
 * Runs the hash over `bytes[from, to)` and stops behind the byte that proposes a cut.
 *
 * @returns the index after that byte, or -1 when there is none
 */
export function findGearCut(gear: Gear, bytes: Uint8Array, from: number, to: number): number {
  const table = gearTable;
  let hash = gear.hash;
  for (let i = from; i < to; i++) {
    hash = ((hash << 1) + table[bytes[i]!]!) | 0;
    if ((hash & cutMask) === 0) {
      gear.hash = hash;
      return i + 1;
    }
  }
  gear.hash = hash;
  return -1;
}
