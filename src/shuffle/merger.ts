import { assert } from "../base/assert.ts";
import { freeMemory } from "./own-memory.ts";
import { type ByteRange, compareRanges, copyRange } from "./compare-bytes.ts";
import { KeyFinder } from "./key-finder.ts";
import type { KeyRules } from "./key-rules.ts";
import { CountReader, type LineBlock, LineCounts, plainBlock } from "./line-block.ts";
import { lineEnd } from "./lines.ts";
import { encodeNumber, numberBytesMax } from "./numeric-key.ts";

export interface MergerOptions {
  readonly rules: KeyRules;
  readonly sources: number;
  /** What a slab holds at most, but for a single longer record. */
  readonly slabBytes: number;
  /** Whether lines that come several times are to stand there once. */
  readonly counted: boolean;
}

/** Lines of a source, with their memory. */
export type FedBlock = Pick<LineBlock, "bytes" | "linesEnd">;

/** A block of a source; undefined when the source has ended. */
export interface Fed {
  readonly source: number;
  readonly block: FedBlock | undefined;
}

export interface Merged {
  /** Empty when nothing can be said yet. */
  readonly slab: LineBlock;
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
  readonly waiting: FedBlock[];
  closed: boolean;
  /** Nothing is left. */
  ended: boolean;
  /** Lines alone; the rest of its memory holds their counts. */
  block: Buffer | undefined;
  readonly counts: CountReader;
  /** How often the record is still to come. */
  count: number;
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
  private readonly isCounted: boolean;
  /** Whether some line came with a count. */
  private sawCounts = false;
  private readonly lineCounts = new LineCounts();
  /** Goes on when a block has come: where slabs end must not depend on what came when. */
  private begun = newSlab();
  private readonly sources: Source[];
  /** Below the winner: at each place who lost there (a tree of losers). */
  private readonly losers: Int32Array;
  private winner = -1;
  /** The key of the record before. */
  private readonly last: ByteRange = { bytes: Buffer.alloc(0), start: 0, end: 0 };
  /** The winner's block is used up and the next has not come. */
  private isDry = false;

  constructor({ rules, sources, slabBytes, counted }: MergerOptions) {
    assert(sources > 0, "something to merge");
    this.rules = rules;
    this.slabBytes = slabBytes;
    this.isCounted = counted;
    this.sources = Array.from({ length: sources }, () => ({
      finder: new KeyFinder(rules),
      waiting: [],
      closed: false,
      ended: false,
      block: undefined,
      counts: new CountReader(),
      count: 0,
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
    if (stuckOn !== undefined) return this.answer(nothing(), stuckOn);
    if (!this.sawCounts) return this.answer(this.fill());
    // Begun when no line had a count yet.
    if (this.begun.filled > 0 && this.begun.last < 0) return this.answer(this.giveBegun());
    this.begun.last = Math.max(0, this.begun.last);
    return this.answer(this.isCounted ? this.fillCounted() : this.fillInFull());
  }

  private feed(source: Source, block: FedBlock | undefined): void {
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

  private answer(slab: LineBlock, stuckOn?: number): Merged {
    const wants: number[] = [];
    for (const [number, { closed, waiting, block }] of this.sources.entries())
      if (!closed && waiting.length + (block === undefined ? 0 : 1) < blocksHeldMax)
        wants.push(number);
    const done = this.winner >= 0 && this.sources[this.winner]!.ended;
    return { slab, wants, stuckOn, done };
  }

  /** While no line has come with a count. */
  private fill(): LineBlock {
    const { begun } = this;
    while (!this.isDry && !this.sources[this.winner]!.ended && !this.sawCounts) {
      const source = this.sources[this.winner]!;
      const room = this.slabBytes - begun.filled;
      if (source.end - source.start > room) {
        if (begun.filled === 0) return plainBlock(this.takeLarge(source), 1);
        return this.giveBegun();
      }
      const slab = (begun.slab ??= Buffer.allocUnsafeSlow(this.slabBytes));
      const block = source.block!;
      const { start } = source;
      let end = start;
      let isUsedUp = false;
      // What wins again is copied together.
      do {
        end = source.end;
        begun.records++;
        isUsedUp = end === block.length;
      } while (!isUsedUp && this.winsAgain(source) && source.end - start <= room);
      begun.filled = copyRange({ bytes: block, start, end }, slab, begun.filled);
      begun.fullBytes = begun.filled;
      if (isUsedUp) this.leaveBlock(source);
    }
    return this.isDry ? nothing() : this.giveBegun();
  }

  /** What is in the slab that was begun: without counts, or with those of all its lines. */
  private giveBegun(): LineBlock {
    const { slab, filled, records, fullBytes } = this.begun;
    this.begun = newSlab();
    if (slab === undefined) return nothing();
    const lines = slab.subarray(0, filled);
    const bytes = this.lineCounts.after(lines);
    if (bytes !== lines) freeMemory(slab);
    return { bytes, linesEnd: filled, records, fullBytes };
  }

  /** Lines as often as they come. */
  private fillInFull(): LineBlock {
    const slab = Buffer.allocUnsafeSlow(this.slabBytes);
    let filled = 0;
    let records = 0;
    while (!this.isDry && !this.sources[this.winner]!.ended) {
      const source = this.sources[this.winner]!;
      const lineBytes = source.end - source.start;
      const copies = Math.min(source.count, Math.floor((slab.length - filled) / lineBytes));
      if (copies === 0) {
        if (filled > 0) break;
        freeMemory(slab);
        return plainBlock(this.takeCopy(source), 1);
      }
      filled = copyOften({ bytes: source.block!, start: source.start, end: source.end }, slab, {
        at: filled,
        copies,
      });
      records += copies;
      source.count -= copies;
      if (source.count > 0) break;
      this.goOn(source);
    }
    return plainBlock(slab.subarray(0, filled), records);
  }

  /** Lines with their counts; the same line of several sources becomes one. */
  private fillCounted(): LineBlock {
    const { begun } = this;
    const counts = this.lineCounts;
    while (!this.isDry && !this.sources[this.winner]!.ended) {
      const source = this.sources[this.winner]!;
      const line: ByteRange = { bytes: source.block!, start: source.start, end: source.end };
      const lineBytes = source.end - source.start;
      const { filled, last } = begun;
      if (filled + lineBytes > this.slabBytes && filled === 0) return this.takeCounted(source);
      const slab = (begun.slab ??= Buffer.allocUnsafeSlow(this.slabBytes));
      const before: ByteRange = { bytes: slab, start: last, end: filled };
      const isAgain = filled - last === lineBytes && compareRanges(before, line, 0) === 0;
      if (isAgain) counts.addToLast(source.count);
      else {
        if (filled + lineBytes > this.slabBytes) return this.giveBegun();
        begun.last = filled;
        begun.filled = copyRange(line, slab, filled);
        counts.add(source.count);
      }
      begun.records += source.count;
      begun.fullBytes += source.count * lineBytes;
      this.goOn(source);
    }
    return this.isDry ? nothing() : this.giveBegun();
  }

  /** Goes on from a record that has been taken. */
  private goOn(source: Source): void {
    if (source.end === source.block!.length) this.leaveBlock(source);
    else this.winsAgain(source);
  }

  /** One of the lines that do not fit any slab. */
  private takeCopy(source: Source): Buffer {
    if (source.count === 1) return this.takeLarge(source);
    source.count--;
    return Buffer.from(source.block!.subarray(source.start, source.end));
  }

  /** The same with its count. */
  private takeCounted(source: Source): LineBlock {
    const records = source.count;
    const line = this.takeLarge(source);
    const linesEnd = line.length;
    this.lineCounts.add(records);
    const bytes = this.lineCounts.after(line);
    if (bytes !== line) freeMemory(line);
    return { bytes, linesEnd, records, fullBytes: records * linesEnd };
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
    const fed = source.waiting.shift();
    if (fed === undefined) {
      source.ended = source.closed;
      return source.closed;
    }
    const block = fed.bytes.subarray(0, fed.linesEnd);
    source.block = block;
    source.counts.begin(fed);
    if (fed.linesEnd < fed.bytes.length) this.sawCounts = true;
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
    source.count = source.counts.next();
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

/** A slab that is not full yet. */
interface BegunSlab {
  slab: Buffer | undefined;
  filled: number;
  /** Where its last line begins; below 0 while that is of no interest. */
  last: number;
  records: number;
  fullBytes: number;
}

function newSlab(): BegunSlab {
  return { slab: undefined, filled: 0, last: -1, records: 0, fullBytes: 0 };
}

/** Memory that is handed over is gone: a new one for each. */
function nothing(): LineBlock {
  return plainBlock(Buffer.alloc(0), 0);
}

/** Copies a range so often, and says where the last copy ends. */
function copyOften(
  range: ByteRange,
  to: Buffer,
  { at, copies }: { at: number; copies: number },
): number {
  let filled = copyRange(range, to, at);
  const end = at + copies * (filled - at);
  // What stands there already is copied together, twice as much each time.
  while (filled < end) {
    const next = Math.min(end, 2 * filled - at);
    copyRange({ bytes: to, start: at, end: at + next - filled }, to, filled);
    filled = next;
  }
  return filled;
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
