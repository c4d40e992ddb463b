import { compareRanges } from "./compare-bytes.ts";

// Records are sorted as 64-bit numbers by the engine's own sort, without a function to compare them: from the top,
// five bytes of the key, how many bytes it has left (0 to 5, 6 for more), and the number of the record, which keeps
// equals in the order in which they came. Groups that five bytes do not tell apart are sorted by the next five.

/** So many records have numbers of 21 bits. */
export const recordsMax = 2 ** 21;

const indexMask = recordsMax - 1;
const more = 6;
const stepBytes = 5;
/** Fewer are sorted by comparing their keys. */
const comparedMax = 12;

/** Keys of records, by their number: key `i` is `bytes[starts[i], ends[i])`. */
export interface KeyTable {
  readonly bytes: Uint8Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
}

/** What is sorted: entries of 64 bits, and the same memory as pairs of 32. */
export interface Entries {
  readonly wide: BigUint64Array;
  readonly halves: Uint32Array;
}

export function newEntries(count: number): Entries {
  const memory = new ArrayBuffer(count * 8);
  return { wide: new BigUint64Array(memory), halves: new Uint32Array(memory) };
}

/** Makes entry `at` stand for a record; only its number counts before sortEntries(). */
export function setRecord({ halves }: Entries, at: number, record: number): void {
  halves[2 * at] = record;
}

/** The number of the record that entry `at` stands for. */
export function recordAt({ halves }: Entries, at: number): number {
  return halves[2 * at]! & indexMask;
}

/** Sorts `entries[from, to)`, which stand for records with rising numbers. */
export function sortEntries(
  entries: Entries,
  from: number,
  to: number,
  keys: KeyTable,
  reverse: boolean,
): void {
  /** Groups that are still to be sorted: from, to, and how many bytes they share. */
  const todo = [from, to, 0];
  while (todo.length > 0) {
    const depth = todo.pop()!;
    const end = todo.pop()!;
    const start = todo.pop()!;
    if (end - start <= comparedMax) insertionSort(entries.halves, start, end, keys, depth, reverse);
    else sortGroup(entries, start, end, keys, depth, reverse, todo);
  }
}

function sortGroup(
  entries: Entries,
  start: number,
  end: number,
  keys: KeyTable,
  depth: number,
  reverse: boolean,
  todo: number[],
): void {
  const { halves } = entries;
  const turned = reverse ? -1 : 0;
  loadPrefixes(halves, start, end, keys, depth, turned);
  entries.wide.subarray(start, end).sort();
  for (let at = start; at < end;) {
    const high = halves[2 * at + 1]!;
    const low = halves[2 * at]! >>> 21;
    let next = at + 1;
    while (next < end && halves[2 * next + 1] === high && halves[2 * next]! >>> 21 === low) next++;
    const left = (low ^ turned) & 7;
    if (next - at > 1 && left === more) todo.push(at, next, depth + stepBytes);
    at = next;
  }
}

function loadPrefixes(
  halves: Uint32Array,
  from: number,
  to: number,
  { bytes, starts, ends }: KeyTable,
  depth: number,
  turned: number,
): void {
  for (let at = from; at < to; at++) {
    const record = halves[2 * at]! & indexMask;
    const start = starts[record]! + depth;
    const left = ends[record]! - start;
    let high = 0;
    let low = 0;
    if (left > stepBytes) {
      high =
        (bytes[start]! << 24) |
        (bytes[start + 1]! << 16) |
        (bytes[start + 2]! << 8) |
        bytes[start + 3]!;
      low = (bytes[start + 4]! << 24) | (more << 21);
    } else {
      for (let i = 0; i < left && i < 4; i++) high |= bytes[start + i]! << (24 - 8 * i);
      low = ((left === stepBytes ? bytes[start + 4]! : 0) << 24) | (left << 21);
    }
    halves[2 * at + 1] = high ^ turned;
    halves[2 * at] = ((low ^ turned) & ~indexMask) | record;
  }
}

function insertionSort(
  halves: Uint32Array,
  from: number,
  to: number,
  { bytes, starts, ends }: KeyTable,
  depth: number,
  reverse: boolean,
): void {
  for (let i = from + 1; i < to; i++) {
    const entry = halves[2 * i]!;
    const record = entry & indexMask;
    const start = starts[record]! + depth;
    const end = ends[record]!;
    let at = i;
    for (; at > from; at--) {
      const before = halves[2 * (at - 1)]!;
      const other = before & indexMask;
      const order = compareRanges(bytes, starts[other]! + depth, ends[other]!, bytes, start, end);
      if ((reverse ? -order : order) <= 0) break;
      halves[2 * at] = before;
    }
    halves[2 * at] = entry;
  }
}
