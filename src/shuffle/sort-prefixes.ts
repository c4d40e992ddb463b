import { type ByteRange, compareRanges } from "./compare-bytes.ts";

// Records are sorted as 64-bit numbers by the engine's own sort, without a function to compare them: from the top,
// five bytes of the key, how many bytes it has left (0 to 5, 6 for more), and the number of the record, which keeps
// equals in the order in which they came. Groups that five bytes do not tell apart are sorted by the next five.

/** So many records have numbers of 21 bits. */
export const recordsMax = 2 ** 21;
const indexBits = 21;

const indexMask = recordsMax - 1;
const more = 6;
const stepBytes = 5;
/** Fewer are sorted by comparing their keys. */
const comparedMax = 12;

/** Keys of records, by their number: key `i` is `bytes[starts[i], ends[i])`. */
export interface KeyTable {
  readonly bytes: Buffer;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
}

/** Entries of 64 bits, one for each record of a table of keys. */
export class PrefixSorter {
  private readonly wide: BigUint64Array;
  /** The same memory as pairs of 32 bits, the lower first. */
  private readonly halves: Uint32Array;
  private readonly reverse: boolean;
  /** Turns all bits of what is compared when the largest comes first. */
  private readonly turned: number;
  private readonly one: ByteRange = { bytes: Buffer.alloc(0), start: 0, end: 0 };
  private readonly other: ByteRange = { ...this.one };

  constructor(count: number, reverse: boolean) {
    const memory = new ArrayBuffer(count * 8);
    this.wide = new BigUint64Array(memory);
    this.halves = new Uint32Array(memory);
    this.reverse = reverse;
    this.turned = reverse ? -1 : 0;
  }

  /** Makes entry `at` stand for a record. */
  setRecord(at: number, record: number): void {
    this.halves[2 * at] = record;
  }

  /** The number of the record that entry `at` stands for. */
  recordAt(at: number): number {
    return this.halves[2 * at]! & indexMask;
  }

  /** Sorts the entries `[from, to)`, which stand for records with rising numbers. */
  sort(from: number, to: number, keys: KeyTable): void {
    this.one.bytes = keys.bytes;
    this.other.bytes = keys.bytes;
    /** Groups that are still to be sorted: from, to, and how many bytes they share. */
    const todo = [from, to, 0];
    while (todo.length > 0) {
      const depth = todo.pop()!;
      const end = todo.pop()!;
      const start = todo.pop()!;
      if (end - start <= comparedMax) {
        for (let at = start + 1; at < end; at++) this.insert(start, at, depth, keys);
        continue;
      }
      this.loadPrefixes(start, end, depth, keys);
      this.wide.subarray(start, end).sort();
      for (let at = start; at < end; at = this.groupEnd(at, end, depth, todo));
    }
  }

  /** Where the entries with the same prefix end; those that have more bytes are still to be sorted. */
  private groupEnd(at: number, end: number, depth: number, todo: number[]): number {
    const { halves } = this;
    const high = halves[2 * at + 1]!;
    const low = halves[2 * at]! >>> indexBits;
    let next = at + 1;
    while (next < end && halves[2 * next + 1] === high && halves[2 * next]! >>> indexBits === low)
      next++;
    const left = (low ^ this.turned) & 7;
    if (next - at > 1 && left === more) todo.push(at, next, depth + stepBytes);
    return next;
  }

  private loadPrefixes(from: number, to: number, depth: number, keys: KeyTable): void {
    const { halves, turned } = this;
    const { bytes, starts, ends } = keys;
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
        low = (bytes[start + 4]! << 24) | (more << indexBits);
      } else {
        for (let i = 0; i < left && i < 4; i++) high |= bytes[start + i]! << (24 - 8 * i);
        low = ((left === stepBytes ? bytes[start + 4]! : 0) << 24) | (left << indexBits);
      }
      halves[2 * at + 1] = high ^ turned;
      halves[2 * at] = ((low ^ turned) & ~indexMask) | record;
    }
  }

  /** Moves an entry down among those from `from` on, which are sorted. */
  private insert(from: number, place: number, depth: number, { starts, ends }: KeyTable): void {
    const { halves, one, other, reverse } = this;
    const entry = halves[2 * place]!;
    const record = entry & indexMask;
    one.start = starts[record]!;
    one.end = ends[record]!;
    let at = place;
    for (; at > from; at--) {
      const before = halves[2 * (at - 1)]!;
      const beforeRecord = before & indexMask;
      other.start = starts[beforeRecord]!;
      other.end = ends[beforeRecord]!;
      const order = compareRanges(other, one, depth);
      if ((reverse ? -order : order) <= 0) break;
      halves[2 * at] = before;
    }
    halves[2 * at] = entry;
  }
}
