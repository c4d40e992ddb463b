import { freeMemory } from "./own-memory.ts";
import { KiB } from "../base/size.ts";
import { compareSortKeys, keyEndOf, type KeyRules, sortKeyOf } from "./key-rules.ts";
import { CountReader, LineCounts } from "./line-block.ts";
import { lineEnd } from "./lines.ts";
import type { FedBlock } from "./merger.ts";
import {
  type BlockInfo,
  damage,
  decodeFooter,
  footerBytesOf,
  type RunIndex,
  runMagic,
  trailerBytes,
} from "./run-format.ts";
import type { RunSource } from "./run-source.ts";
import type { BlockCodec } from "./shuffle-compute.ts";

/** Most footers are shorter, and come with the first read. */
const tailBytes = 32 * KiB;

/** From which key on, and up to before which; keys as they stand in records. */
export interface KeyRange {
  readonly from?: Uint8Array | undefined;
  readonly to?: Uint8Array | undefined;
}

/**
 * The index of a run.
 *
 * @throws CodedError `data_loss` when it is damaged, or not a run at all
 */
export async function readRunIndex(
  source: RunSource,
  signal: AbortSignal | undefined,
): Promise<RunIndex> {
  if (source.bytes < runMagic.length + trailerBytes)
    throw damage(source.name, `${source.bytes} bytes are too few for a run`);
  let start = Math.max(0, source.bytes - tailBytes);
  let tail = await readAll(source, start, signal);
  const needed = footerBytesOf(tail, source.name) + trailerBytes;
  if (needed > source.bytes - runMagic.length)
    throw damage(source.name, "its index does not agree with its length");
  if (needed > tail.length) {
    start = source.bytes - needed;
    tail = await readAll(source, start, signal);
  }
  return decodeFooter(tail.subarray(tail.length - needed), source.bytes, source.name);
}

async function readAll(
  source: RunSource,
  start: number,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of source.read(start, source.bytes, signal)) pieces.push(piece);
  const all = Buffer.concat(pieces);
  if (all.length !== source.bytes - start)
    throw damage(source.name, `${all.length} bytes came from ${start} on`);
  return all;
}

/** Which blocks may hold keys of a range: `[first, end)`. */
export function blocksOfRange(
  { blocks, rules }: RunIndex,
  range: KeyRange,
): { readonly first: number; readonly end: number } {
  let first = 0;
  if (range.from !== undefined) {
    const from = sortKeyOf(range.from, rules);
    // A block ends where the next one begins, at the latest.
    while (first + 1 < blocks.length && isSurely(blocks[first + 1]!, from, rules, -1)) first++;
  }
  let end = blocks.length;
  if (range.to !== undefined) {
    const to = sortKeyOf(range.to, rules);
    while (end > first && isSurely(blocks[end - 1]!, to, rules, 1)) end--;
  }
  return { first, end };
}

/** Whether the first key of a block is before a key (-1), or equal or after it (1); a key that was cut may not tell. */
function isSurely(block: BlockInfo, key: Uint8Array, rules: KeyRules, where: -1 | 1): boolean {
  // What is left of a number may be quite another number.
  if (block.keyIsCut && rules.numeric) return false;
  const known = sortKeyOf(block.firstKey, rules);
  if (block.keyIsCut && Buffer.compare(known, key.subarray(0, known.length)) === 0) return false;
  const order = compareSortKeys(known, key, rules);
  return where === -1 ? order < 0 : order >= 0;
}

/** The blocks of a run that hold keys of a range, each trimmed to it, in order. Their memory is the reader's. */
export async function* readBlocks(
  { source, index }: { readonly source: RunSource; readonly index: RunIndex },
  range: KeyRange,
  codec: BlockCodec,
  signal: AbortSignal | undefined,
): AsyncGenerator<FedBlock, void, void> {
  const { first, end } = blocksOfRange(index, range);
  if (first === end) return;
  const last = index.blocks[end - 1]!;
  const start = index.blocks[first]!.start;
  const pieces = source.read(start, last.start + last.storedBytes, signal)[Symbol.asyncIterator]();
  const reader = new ExactReader(pieces, source.name);
  try {
    for (let i = first; i < end; i++) {
      const block = index.blocks[i]!;
      const stored = await reader.take(block.storedBytes);
      const { plainBytes, codec: storedBy, crc } = block;
      // Not the key: it is a view of the whole index, which would go to the other thread with it.
      const as = { start: block.start, plainBytes, codec: storedBy, crc };
      const plain = await codec.decode(stored, as, source.name);
      const whole = { bytes: plain, linesEnd: block.linesBytes };
      const trimmed = trim(whole, index.rules, range);
      if (trimmed.linesEnd > 0) yield trimmed;
    }
  } finally {
    await pieces.return?.();
  }
}

/** The lines of a block whose keys are in the range. */
function trim(whole: FedBlock, rules: KeyRules, range: KeyRange): FedBlock {
  const block = whole.bytes.subarray(0, whole.linesEnd);
  let start = 0;
  let end = block.length;
  const order = (at: number, bound: Uint8Array): number => {
    const keyEnd = keyEndOf(block, at, lineEnd(block, at), rules);
    return compareSortKeys(sortKeyOf(block.subarray(at, keyEnd), rules), bound, rules);
  };
  if (range.from !== undefined) {
    const from = sortKeyOf(range.from, rules);
    while (start < end && order(start, from) < 0) start = lineEnd(block, start) + 1;
  }
  if (range.to !== undefined) {
    const to = sortKeyOf(range.to, rules);
    // Most blocks lie wholly inside: their last line tells.
    const lastStart = block.length < 2 ? 0 : block.lastIndexOf("\n", block.length - 2) + 1;
    if (start < end && order(lastStart, to) >= 0) {
      end = start;
      while (order(end, to) < 0) end = lineEnd(block, end) + 1;
    }
  }
  if (start === 0 && end === block.length) return whole;
  return partOf(whole, start, end);
}

/** Whole lines of a block. */
function partOf(whole: FedBlock, start: number, end: number): FedBlock {
  const lines = whole.bytes.subarray(start, end);
  if (whole.linesEnd === whole.bytes.length) return { bytes: lines, linesEnd: lines.length };
  const all = new CountReader();
  all.begin(whole);
  for (let at = 0; at < start; at = lineEnd(whole.bytes, at) + 1) all.next();
  const counts = new LineCounts();
  for (let at = start; at < end; at = lineEnd(whole.bytes, at) + 1) counts.add(all.next());
  return { bytes: counts.after(lines), linesEnd: lines.length };
}

/** Exact numbers of bytes out of pieces of any size. */
class ExactReader {
  private readonly pieces: AsyncIterator<Uint8Array>;
  private readonly name: string;
  private rest: Uint8Array = new Uint8Array(0);

  constructor(pieces: AsyncIterator<Uint8Array>, name: string) {
    this.pieces = pieces;
    this.name = name;
  }

  /** The next bytes, in memory of their own. */
  async take(bytes: number): Promise<Buffer> {
    const taken = Buffer.allocUnsafeSlow(bytes);
    for (let at = 0; at < bytes;) {
      if (this.rest.length === 0) {
        const next = await this.pieces.next();
        if (next.done === true) throw damage(this.name, `${bytes - at} bytes of it are missing`);
        this.rest = next.value;
        continue;
      }
      const part = this.rest.subarray(0, bytes - at);
      taken.set(part, at);
      at += part.length;
      this.rest = this.rest.subarray(part.length);
      if (this.rest.length === 0) freeMemory(part);
    }
    return taken;
  }
}
