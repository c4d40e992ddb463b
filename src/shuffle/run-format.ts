import { crc32 } from "node:zlib";
import { CodedError } from "../base/errors.ts";
import type { KeyRules } from "./key-rules.ts";

// The only code that reads and writes the bytes of a run: docs/formats/shuffle-run.md.

export const runMagic = Buffer.from("MAMRUNS\x02", "latin1");
const trailerMagic = Buffer.from("MAMRUNT\x02", "latin1");
/** Footer bytes, checksum, magic. */
export const trailerBytes = 4 + 4 + trailerMagic.length;

/** How the bytes of a block are stored; do not change. */
export const blockCodec = { plain: 0, zstd: 1 } as const;

/** A first key longer than this is cut. Do not change. */
export const firstKeyBytesMax = 256;

const numericFlag = 1;
const reverseFlag = 2;

/** What is needed to read a block. */
export interface StoredAs {
  /** Where its bytes begin in the run. */
  readonly start: number;
  /** Of what is stored, its lines and their counts. */
  readonly plainBytes: number;
  readonly codec: number;
  /** CRC-32 of the stored bytes. */
  readonly crc: number;
}

/** A block as the index of its run describes it. */
export interface BlockInfo extends StoredAs {
  readonly storedBytes: number;
  /** Of its lines, without their counts. */
  readonly linesBytes: number;
  /** Each as often as it comes. */
  readonly records: number;
  /** Of its lines, each as often as it comes. */
  readonly fullBytes: number;
  /** The key of its first record, or the first 256 bytes of it. */
  readonly firstKey: Buffer;
  readonly keyIsCut: boolean;
}

/** What the end of a run says. */
export interface RunIndex {
  readonly rules: KeyRules;
  readonly blocks: readonly BlockInfo[];
  readonly records: number;
  /** Of all lines, each as often as it comes. */
  readonly fullBytes: number;
}

const fixedEntryBytes = 4 + 4 + 4 + 8 + 8 + 4 + 1 + 1 + 2;

/** Footer and trailer. */
export function encodeFooter(rules: KeyRules, blocks: readonly BlockInfo[]): Buffer {
  const head = Buffer.alloc(4 + rules.separator.length + 4);
  head[0] = (rules.numeric ? numericFlag : 0) | (rules.reverse ? reverseFlag : 0);
  head.writeUInt16LE(rules.keyFields, 1);
  head[3] = rules.separator.length;
  head.set(rules.separator, 4);
  head.writeUInt32LE(blocks.length, 4 + rules.separator.length);
  const parts: Buffer[] = [head];
  for (const block of blocks) {
    const entry = Buffer.alloc(fixedEntryBytes);
    entry.writeUInt32LE(block.storedBytes, 0);
    entry.writeUInt32LE(block.plainBytes, 4);
    entry.writeUInt32LE(block.linesBytes, 8);
    entry.writeBigUInt64LE(BigInt(block.records), 12);
    entry.writeBigUInt64LE(BigInt(block.fullBytes), 20);
    entry.writeUInt32LE(block.crc, 28);
    entry[32] = block.codec;
    entry[33] = block.keyIsCut ? 1 : 0;
    entry.writeUInt16LE(block.firstKey.length, 34);
    parts.push(entry, block.firstKey);
  }
  const footer = Buffer.concat(parts);
  const trailer = Buffer.alloc(trailerBytes);
  trailer.writeUInt32LE(footer.length, 0);
  trailer.writeUInt32LE(crc32(trailer.subarray(0, 4), crc32(footer)), 4);
  trailerMagic.copy(trailer, 8);
  return Buffer.concat([footer, trailer]);
}

/**
 * How many bytes the footer has, from the last bytes of a run.
 *
 * @throws CodedError `data_loss` when they are not the end of a run
 */
export function footerBytesOf(tail: Buffer, name: string): number {
  if (tail.length < trailerBytes || !tail.subarray(-trailerMagic.length).equals(trailerMagic))
    throw damage(name, "it does not end as a run does");
  return tail.readUInt32LE(tail.length - trailerBytes);
}

/**
 * The index of a run of `runBytes`, from its end: the footer, then the trailer.
 *
 * @throws CodedError `data_loss` unless every bit is as it was written
 */
export function decodeFooter(tail: Buffer, runBytes: number, name: string): RunIndex {
  const footerBytes = footerBytesOf(tail, name);
  const trailer = tail.subarray(tail.length - trailerBytes);
  const footer = tail.subarray(
    tail.length - trailerBytes - footerBytes,
    tail.length - trailerBytes,
  );
  if (
    footer.length !== footerBytes ||
    crc32(trailer.subarray(0, 4), crc32(footer)) !== trailer.readUInt32LE(4)
  )
    throw damage(name, "its index does not agree with its checksum");
  const separatorBytes = footer[3]!;
  const rules: KeyRules = {
    numeric: (footer[0]! & numericFlag) !== 0,
    reverse: (footer[0]! & reverseFlag) !== 0,
    keyFields: footer.readUInt16LE(1),
    separator: Buffer.from(footer.subarray(4, 4 + separatorBytes)),
  };
  let at = 4 + separatorBytes;
  const count = footer.readUInt32LE(at);
  at += 4;
  const blocks: BlockInfo[] = [];
  let start = runMagic.length;
  for (let i = 0; i < count; i++) {
    const block = decodeBlock(footer, at, start);
    blocks.push(block);
    start += block.storedBytes;
    at += fixedEntryBytes + block.firstKey.length;
  }
  if (at !== footer.length || start + footerBytes + trailerBytes !== runBytes)
    throw damage(name, "its index does not agree with its length");
  return {
    rules,
    blocks,
    records: blocks.reduce((sum, block) => sum + block.records, 0),
    fullBytes: blocks.reduce((sum, block) => sum + block.fullBytes, 0),
  };
}

function decodeBlock(footer: Buffer, at: number, start: number): BlockInfo {
  const keyStart = at + fixedEntryBytes;
  return {
    start,
    storedBytes: footer.readUInt32LE(at),
    plainBytes: footer.readUInt32LE(at + 4),
    linesBytes: footer.readUInt32LE(at + 8),
    records: Number(footer.readBigUInt64LE(at + 12)),
    fullBytes: Number(footer.readBigUInt64LE(at + 20)),
    crc: footer.readUInt32LE(at + 28),
    codec: footer[at + 32]!,
    keyIsCut: footer[at + 33] === 1,
    firstKey: footer.subarray(keyStart, keyStart + footer.readUInt16LE(at + 34)),
  };
}

/** What is thrown when a run is not what was written. */
export function damage(name: string, how: string): CodedError {
  return new CodedError(
    "data_loss",
    `The sorted run ${name} is damaged: ${how}. Run the task that made it again`,
    { details: { run: name } },
  );
}
