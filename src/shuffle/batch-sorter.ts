import { assert } from "../base/assert.ts";
import { type ByteRange, copyRange } from "./compare-bytes.ts";
import { KeyFinder } from "./key-finder.ts";
import { type KeyRules, newline } from "./key-rules.ts";
import { type LineBlock, LineCounts } from "./line-block.ts";
import { LineScanner } from "./line-scanner.ts";
import { lineEnd } from "./lines.ts";
import { encodeNumber, numberBytesMax } from "./numeric-key.ts";
import { freeMemory } from "./own-memory.ts";
import { partitionOf, type Partitioner, type PartitionOf } from "./partitioners.ts";
import { type KeyTable, PrefixSorter, recordsMax } from "./sort-prefixes.ts";

/** Lines of one partition. */
export interface SortedBlock extends LineBlock {
  readonly partition: number;
}

/** Some of what was sorted, in order. */
export interface Sorted {
  readonly blocks: readonly SortedBlock[];
  /** No more of this batch follows: what comes next is sorted by itself. */
  readonly batchEnds: boolean;
  /** The memory that was sorted; given back with the last blocks of the last batch. */
  readonly arena: Buffer | undefined;
}

export interface BatchSorterOptions {
  readonly rules: KeyRules;
  readonly partitioner: Partitioner;
  readonly partitions: number;
  /** What the tables beside the lines may take. */
  readonly tableBytesMax: number;
  /** Blocks have at most so many bytes, but for a single longer record. */
  readonly blockBytes: number;
}

/** Start, end of key, entry, partition and count. */
const bytesARecord = 4 + 4 + 8 + 2 + 4;
/** Numeric keys are written beside the lines, with where each begins and ends; they are not counted. */
const bytesANumericRecord = bytesARecord + 8 + 12 - 4;

/** Sorts arenas, memory full of whole lines, one after the other. All work is done at once, on the calling thread. */
export class BatchSorter {
  private readonly options: BatchSorterOptions;
  private readonly partitionOf: PartitionOf;
  private readonly finder: KeyFinder;
  /** Not for numbers: the same number may stand there in other digits. */
  private scanner: LineScanner | undefined;
  /** What the tables may have room for, and what they have. */
  private readonly recordsMax: number;
  private tableRecords = 0;
  private starts = new Uint32Array(0);
  private keyEnds = new Uint32Array(0);
  private counts = new Uint32Array(0);
  private readonly lineCounts = new LineCounts();
  private entries: PrefixSorter;
  private partitions = new Uint16Array(0);
  /** Where each partition begins among the entries. */
  private readonly partitionStarts: Uint32Array;
  private numbers: KeyTable | undefined;
  private arena: Buffer | undefined;
  /** Some of the arena. */
  private readonly range: ByteRange = { bytes: Buffer.alloc(0), start: 0, end: 0 };
  private arenaEnd = 0;
  /** Of the arena; up to here it has been sorted. */
  private sortedEnd = 0;
  private records = 0;
  /** Whether lines that came several times stand there once. */
  private isCounted = false;
  /** The next entry to give out, and its partition. */
  private given = 0;
  private partition = 0;

  constructor(options: BatchSorterOptions) {
    this.options = options;
    this.partitionOf = partitionOf(options.partitioner, options.partitions, options.rules);
    this.finder = new KeyFinder(options.rules);
    const each = options.rules.numeric ? bytesANumericRecord : bytesARecord;
    this.recordsMax = Math.max(1, Math.min(recordsMax, Math.floor(options.tableBytesMax / each)));
    this.entries = new PrefixSorter(0, options.rules.reverse);
    this.partitionStarts = new Uint32Array(options.partitions + 1);
  }

  /** Makes the tables large enough for so many bytes of lines, or as large as they may be: most inputs are small. */
  private makeTables(bytes: number): void {
    const records = Math.min(this.recordsMax, bytes);
    if (records <= this.tableRecords) return;
    const { rules, partitions } = this.options;
    this.tableRecords = records;
    this.starts = new Uint32Array(records + 1);
    this.keyEnds = new Uint32Array(records);
    this.entries = new PrefixSorter(records, rules.reverse);
    if (partitions > 1) this.partitions = new Uint16Array(records);
    if (rules.numeric) this.numbers = newNumericKeys(records, records * 12);
    else {
      this.counts = new Uint32Array(records);
      this.scanner = new LineScanner(rules, records);
    }
  }

  /** Takes an arena whose first `end` bytes are whole lines, each with its newline. */
  load(arena: Buffer, end: number): void {
    assert(this.arena === undefined, "one arena at a time");
    assert(end > 0 && arena[end - 1] === newline, "an arena ends with a line");
    this.arena = arena;
    this.makeTables(end);
    this.range.bytes = arena;
    this.arenaEnd = end;
    this.finder.begin(arena.subarray(0, end));
    this.scanner?.begin(arena.subarray(0, end));
    this.sortedEnd = 0;
    this.records = 0;
    this.given = 0;
  }

  /** The next blocks, at least one and about `bytesMax` bytes together. */
  take(bytesMax: number): Sorted {
    const arena = this.arena;
    assert(arena !== undefined, "an arena is loaded");
    if (this.given === this.records) this.sortBatch(arena);
    const blocks: SortedBlock[] = [];
    for (let bytes = 0; bytes < bytesMax && this.given < this.records;) {
      const block = this.nextBlock();
      blocks.push(block);
      bytes += block.bytes.length;
    }
    const batchEnds = this.given === this.records;
    const isLast = batchEnds && this.sortedEnd === this.arenaEnd;
    if (isLast) {
      this.arena = undefined;
      this.range.bytes = Buffer.alloc(0);
    }
    return { blocks, batchEnds, arena: isLast ? arena : undefined };
  }

  /** Sorts as many of the lines that follow as the tables have room for. */
  private sortBatch(arena: Buffer): void {
    this.records = this.scanCounted(arena) ?? this.scan(arena);
    this.given = 0;
    this.partition = 0;
    const keys: KeyTable = this.numbers ?? {
      bytes: arena,
      starts: this.starts,
      ends: this.keyEnds,
    };
    const { partitionStarts: starts } = this;
    if (this.options.partitions === 1) {
      for (let i = 0; i < this.records; i++) this.entries.setRecord(i, i);
      starts[1] = this.records;
    } else this.groupByPartition();
    for (let p = 0; p < this.options.partitions; p++)
      if (starts[p + 1]! > starts[p]!) this.entries.sort(starts[p]!, starts[p + 1]!, keys);
  }

  /** Finds records, those that are the same once; undefined where there are hardly any. */
  private scanCounted(arena: Buffer): number | undefined {
    const { starts, keyEnds, counts, partitions, scanner } = this;
    const found = scanner?.scan(this.sortedEnd, { starts, keyEnds, counts });
    this.isCounted = found !== undefined;
    if (found === undefined) return undefined;
    this.sortedEnd = found.end;
    if (this.options.partitions > 1)
      for (let i = 0; i < found.records; i++)
        partitions[i] = this.partitionOf(arena, starts[i]!, keyEnds[i]!);
    return found.records;
  }

  /** Finds records, keys and partitions, and says how many. */
  private scan(arena: Buffer): number {
    const { starts, keyEnds, partitions, numbers, arenaEnd, finder } = this;
    const several = this.options.partitions > 1;
    let records = 0;
    let at = this.sortedEnd;
    let numbersEnd = 0;
    while (at < arenaEnd && records < this.tableRecords) {
      const end = lineEnd(arena, at);
      const keyEnd = finder.keyEnd(at, end);
      if (numbers !== undefined) {
        const room = this.numberRoom(numbersEnd, keyEnd - at);
        if (room === undefined) break;
        room.starts[records] = numbersEnd;
        this.range.start = at;
        this.range.end = keyEnd;
        numbersEnd = encodeNumber(this.range, room.bytes, numbersEnd);
        room.ends[records] = numbersEnd;
      }
      starts[records] = at;
      keyEnds[records] = keyEnd;
      if (several) partitions[records] = this.partitionOf(arena, at, keyEnd);
      records++;
      at = end + 1;
    }
    starts[records] = at;
    this.sortedEnd = at;
    return records;
  }

  /** Where the next number goes; undefined when it has to wait for the next batch. */
  private numberRoom(used: number, keyBytes: number): KeyTable | undefined {
    const { numbers } = this;
    const needed = numberBytesMax(keyBytes);
    if (numbers === undefined || used + needed <= numbers.bytes.length) return numbers;
    if (used > 0) return undefined;
    // A single key larger than the table: as much more is needed as its record takes anyway.
    this.numbers = { ...numbers, bytes: Buffer.alloc(needed) };
    return this.numbers;
  }

  private groupByPartition(): void {
    const { partitionStarts, partitions, records } = this;
    partitionStarts.fill(0);
    for (let i = 0; i < records; i++) partitionStarts[partitions[i]! + 1]!++;
    for (let p = 1; p < partitionStarts.length; p++) partitionStarts[p]! += partitionStarts[p - 1]!;
    const next = partitionStarts.slice();
    for (let i = 0; i < records; i++) this.entries.setRecord(next[partitions[i]!]!++, i);
  }

  private nextBlock(): SortedBlock {
    const { partitionStarts, entries, range, isCounted } = this;
    while (partitionStarts[this.partition + 1]! <= this.given) this.partition++;
    const last = partitionStarts[this.partition + 1]!;
    const first = this.given;
    let bytes = 0;
    let end = first;
    for (; end < last; end++) {
      const record = entries.recordAt(end);
      const length = this.endOf(record) - this.starts[record]!;
      if (end > first && bytes + length > this.options.blockBytes) break;
      bytes += length;
    }
    const lines = Buffer.allocUnsafeSlow(bytes);
    const counts = this.lineCounts;
    let records = 0;
    let fullBytes = 0;
    let to = 0;
    for (let i = first; i < end; i++) {
      const record = entries.recordAt(i);
      range.start = this.starts[record]!;
      range.end = this.endOf(record);
      to = copyRange(range, lines, to);
      const count = isCounted ? this.counts[record]! : 1;
      if (isCounted) counts.add(count);
      records += count;
      fullBytes += count * (range.end - range.start);
    }
    this.given = end;
    const { partition } = this;
    const block = counts.after(lines);
    if (block !== lines) freeMemory(lines);
    return { partition, bytes: block, linesEnd: bytes, records, fullBytes };
  }

  /** Where the line of a record ends, with its newline. */
  private endOf(record: number): number {
    if (!this.isCounted) return this.starts[record + 1]!;
    return lineEnd(this.range.bytes, this.keyEnds[record]!) + 1;
  }
}

/** For keys as encodeNumber() writes them. */
function newNumericKeys(records: number, bytes: number): KeyTable {
  return {
    bytes: Buffer.alloc(bytes),
    starts: new Uint32Array(records),
    ends: new Uint32Array(records),
  };
}
