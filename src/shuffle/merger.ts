import { assert } from "../base/assert.ts";
import { freeMemory } from "./own-memory.ts";
import { type ByteRange, compareRanges, copyRange } from "./compare-bytes.ts";
import { KeyFinder } from "./key-finder.ts";
import type { KeyRules } from "./key-rules.ts";
import { lineEnd } from "./lines.ts";
import { encodeNumber, numberBytesMax } from "./numeric-key.ts";

export interface MergerOptions {
  readonly rules: KeyRules;
  readonly sources: number;
  /** What a slab holds at most, but for a single longer record. */
  readonly slabBytes: number;
}

/** A block of a source, with its memory; undefined when the source has ended. */
export interface Fed {
  readonly source: number;
  readonly block: Buffer | undefined;
}

export interface Merged {
  /** Whole lines in order, in memory of their own; empty when nothing can be said yet. */
  readonly slab: Buffer;
  readonly records: number;
  /** Sources that have room for another block. */
  readonly wants: readonly number[];
  /** Nothing can go on before this source gets its block, or its end. */
  readonly stuckOn: number | undefined;
  readonly done: boolean;
}

/** Of one source: the one that is read, and the one after it. */
const blocksHeldMax = 2;

const prefixBytes = 8;

/** One of the streams of lines that are merged, and the record it stands at. */
interface Source {
  readonly finder: KeyFinder;
  readonly waiting: Buffer[];
  closed: boolean;
  /** Nothing is left. */
  ended: boolean;
  block: Buffer | undefined;
  start: number;
  /** After the newline. */
  end: number;
  /** What the record is sorted by: in the block, or a number. */
  readonly key: ByteRange;
  high: number;
  low: number;
}

/**
 * Merges sorted streams of lines; of equal keys, those of the first source come first. It is fed and asked in turns;
 * all work is done at once, on the calling thread.
 */
export class Merger {
  private readonly rules: KeyRules;
  private readonly slabBytes: number;
  private readonly sources: Source[];
  /** Below the winner: at each place who lost there (a tree of losers). */
  private readonly losers: Int32Array;
  private winner = -1;
  /** The key of the record before. */
  private readonly last: ByteRange = { bytes: Buffer.alloc(0), start: 0, end: 0 };
  /** The winner's block is used up and the next has not come. */
  private isDry = false;

  constructor({ rules, sources, slabBytes }: MergerOptions) {
    assert(sources > 0, "something to merge");
    this.rules = rules;
    this.slabBytes = slabBytes;
    this.sources = Array.from({ length: sources }, () => ({
      finder: new KeyFinder(rules),
      waiting: [],
      closed: false,
      ended: false,
      block: undefined,
      start: 0,
      end: 0,
      key: { bytes: Buffer.alloc(0), start: 0, end: 0 },
      high: 0,
      low: 0,
    }));
    this.losers = new Int32Array(sources);
  }

  /** Takes what came, then merges until a slab is full or a block is missing. */
  step(fed: readonly Fed[]): Merged {
    for (const { source: number, block } of fed) this.feed(this.sources[number]!, block);
    const stuckOn = this.settle();
    if (stuckOn !== undefined) return this.answer(Buffer.alloc(0), 0, stuckOn);
    return this.fill();
  }

  private feed(source: Source, block: Buffer | undefined): void {
    if (block === undefined) source.closed = true;
    else source.waiting.push(block);
    assert(source.waiting.length <= blocksHeldMax, "no more blocks than were asked for");
  }

  /** Makes sure that the winner is known; gives back on whose block that waits. */
  private settle(): number | undefined {
    if (this.winner < 0) {
      for (const [number, source] of this.sources.entries())
        if (source.block === undefined && !source.ended && !this.nextBlock(source)) return number;
      this.build();
    }
    if (!this.isDry) return undefined;
    const source = this.sources[this.winner]!;
    if (!this.nextBlock(source)) return this.winner;
    this.isDry = false;
    this.replay(this.winner);
    return undefined;
  }

  private answer(slab: Buffer, records: number, stuckOn?: number): Merged {
    const wants: number[] = [];
    for (const [number, { closed, waiting, block }] of this.sources.entries())
      if (!closed && waiting.length + (block === undefined ? 0 : 1) < blocksHeldMax)
        wants.push(number);
    const done = this.winner >= 0 && this.sources[this.winner]!.ended;
    return { slab, records, wants, stuckOn, done };
  }

  private fill(): Merged {
    let slab: Buffer | undefined;
    let filled = 0;
    let records = 0;
    while (!this.isDry && !this.sources[this.winner]!.ended) {
      const source = this.sources[this.winner]!;
      if (filled + source.end - source.start > this.slabBytes) {
        if (filled === 0) return this.answer(this.takeLarge(source), 1);
        break;
      }
      slab ??= Buffer.allocUnsafeSlow(this.slabBytes);
      const block = source.block!;
      const { start } = source;
      const room = this.slabBytes - filled;
      let end = start;
      let isUsedUp = false;
      // What wins again is copied together.
      do {
        end = source.end;
        records++;
        isUsedUp = end === block.length;
      } while (!isUsedUp && this.winsAgain(source) && source.end - start <= room);
      filled = copyRange({ bytes: block, start, end }, slab, filled);
      if (isUsedUp) this.leaveBlock(source);
    }
    return this.answer(slab === undefined ? Buffer.alloc(0) : slab.subarray(0, filled), records);
  }

  /** A record that does not fit any slab. Such a block holds nothing else, and is given away as it is. */
  private takeLarge(source: Source): Buffer {
    const block = source.block!;
    const isAlone = source.start === 0 && source.end === block.length;
    const record = block.subarray(source.start, source.end);
    const slab = isAlone ? record : Buffer.from(record);
    if (source.end < block.length) this.winsAgain(source);
    else {
      if (isAlone) source.block = undefined;
      this.leaveBlock(source);
    }
    return slab;
  }

  /** Goes on to the next block when there is one. */
  private leaveBlock(source: Source): void {
    if (source.block !== undefined) freeMemory(source.block);
    source.block = undefined;
    if (this.nextBlock(source)) this.replay(this.winner);
    else this.isDry = true;
  }

  /** False when it is not known yet what comes next. */
  private nextBlock(source: Source): boolean {
    const block = source.waiting.shift();
    if (block === undefined) {
      source.ended = source.closed;
      return source.closed;
    }
    source.block = block;
    source.finder.begin(block);
    source.end = 0;
    this.nextRecord(source);
    return true;
  }

  /** Goes on to the next record of the winner's block; says whether it comes before those of all others. */
  private winsAgain(source: Source): boolean {
    const { key, high, low } = source;
    this.last.bytes = key.bytes;
    this.last.start = key.start;
    this.last.end = key.end;
    this.nextRecord(source);
    // The same key again: whoever had the same key and comes first would have won before.
    const isSame =
      !this.rules.numeric &&
      source.high === high &&
      source.low === low &&
      compareRanges(this.last, key, 0) === 0;
    if (isSame) return true;
    const before = this.winner;
    this.replay(before);
    return this.winner === before;
  }

  private nextRecord(source: Source): void {
    const block = source.block!;
    const { key } = source;
    const start = source.end;
    const end = lineEnd(block, start);
    const keyEnd = source.finder.keyEnd(start, end);
    source.start = start;
    source.end = end + 1;
    if (this.rules.numeric) {
      const needed = numberBytesMax(keyEnd - start);
      if (key.bytes.length < needed) key.bytes = Buffer.allocUnsafeSlow(2 * needed);
      key.start = 0;
      key.end = encodeNumber({ bytes: block, start, end: keyEnd }, key.bytes, 0);
    } else {
      key.bytes = block;
      key.start = start;
      key.end = keyEnd;
    }
    loadPrefix(source);
  }

  private build(): void {
    const count = this.sources.length;
    const winners = new Int32Array(2 * count);
    for (let i = 0; i < count; i++) winners[count + i] = i;
    for (let place = count - 1; place > 0; place--) {
      const left = winners[2 * place]!;
      const right = winners[2 * place + 1]!;
      const leftWins = this.isBefore(left, right);
      winners[place] = leftWins ? left : right;
      this.losers[place] = leftWins ? right : left;
    }
    this.winner = count === 1 ? 0 : winners[1]!;
  }

  /** Finds the winner after the record of one source has changed. */
  private replay(changed: number): void {
    const { losers } = this;
    let winner = changed;
    for (let place = (losers.length + changed) >> 1; place > 0; place >>= 1) {
      const loser = losers[place]!;
      if (!this.isBefore(loser, winner)) continue;
      losers[place] = winner;
      winner = loser;
    }
    this.winner = winner;
  }

  private isBefore(number: number, other: number): boolean {
    const a = this.sources[number]!;
    const b = this.sources[other]!;
    if (a.ended || b.ended) return a.ended === b.ended ? number < other : b.ended;
    let order = a.high - b.high;
    if (order === 0) order = a.low - b.low;
    if (order === 0) order = compareRests(a, b);
    if (order === 0) return number < other;
    return this.rules.reverse ? order > 0 : order < 0;
  }
}

/** Of keys that begin with the same bytes; zeros stand for those that a short key does not have. */
function compareRests({ key: a }: Source, { key: b }: Source): number {
  const aBytes = a.end - a.start;
  const bBytes = b.end - b.start;
  if (aBytes <= prefixBytes || bBytes <= prefixBytes) return aBytes - bBytes;
  return compareRanges(a, b, prefixBytes);
}

function loadPrefix(source: Source): void {
  const { bytes: key, start: at, end: keyEnd } = source.key;
  if (keyEnd - at >= prefixBytes) {
    source.high = word(key[at]!, key[at + 1]!, key[at + 2]!, key[at + 3]!);
    source.low = word(key[at + 4]!, key[at + 5]!, key[at + 6]!, key[at + 7]!);
    return;
  }
  const byte = (i: number): number => (at + i < keyEnd ? key[at + i]! : 0);
  source.high = word(byte(0), byte(1), byte(2), byte(3));
  source.low = word(byte(4), byte(5), byte(6), byte(7));
}

function word(a: number, b: number, c: number, d: number): number {
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}
