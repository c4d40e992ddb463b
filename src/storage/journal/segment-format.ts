import { crc32, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { CodedError } from "../../base/errors.ts";
import { MiB } from "../../base/size.ts";
import type { JournalRecord } from "../../metadata/index.ts";

// The byte grammar is docs/formats/journal.md. Integers are little-endian.
const magic = Buffer.from("MAMJRNL\x01", "latin1");
const headerBytes = magic.length + 8;
const checksumBytes = 4;
/** No segment holds more, plain. */
const plainBytesMax = 256 * MiB;

export const journalPrefix = "journal/";

/** `journal/<level>/<number of 20 digits>`: segments of level 0 are written, those above take their place. */
export function segmentKey(level: number, number: number): string {
  return `${journalPrefix}${level}/${String(number).padStart(20, "0")}`;
}

/** Level and number of a segment; undefined for a key that names none. */
export function segmentOf(key: string): { level: number; number: number } | undefined {
  const [, level, number] = /^journal\/(\d)\/(\d{20})$/.exec(key) ?? [];
  return level === undefined ? undefined : { level: Number(level), number: Number(number) };
}

export function encodeSegment(records: readonly JournalRecord[]): Buffer {
  const plain = Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join(""));
  const stored = zstdCompressSync(plain);
  const bytes = Buffer.alloc(headerBytes + stored.length + checksumBytes);
  magic.copy(bytes);
  bytes.writeUInt32LE(plain.length, magic.length);
  bytes.writeUInt32LE(stored.length, magic.length + 4);
  stored.copy(bytes, headerBytes);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, -checksumBytes)), bytes.length - checksumBytes);
  return bytes;
}

/** @throws CodedError `data_loss` unless every bit is as it was written */
export function decodeSegment(bytes: Buffer): JournalRecord[] {
  if (bytes.length < headerBytes + checksumBytes || !bytes.subarray(0, magic.length).equals(magic))
    throw damaged("it does not start like one");
  const body = bytes.subarray(0, -checksumBytes);
  if (crc32(body) !== bytes.readUInt32LE(bytes.length - checksumBytes))
    throw damaged("it does not match its checksum");
  const [plainBytes, storedBytes] = [
    bytes.readUInt32LE(magic.length),
    bytes.readUInt32LE(magic.length + 4),
  ];
  const stored = body.subarray(headerBytes);
  if (stored.length !== storedBytes || plainBytes > plainBytesMax)
    throw damaged("its length is wrong");
  const plain = zstdDecompressSync(stored, { maxOutputLength: plainBytes + 1 }).toString("utf8");
  return plain
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as JournalRecord);
}

function damaged(why: string): CodedError {
  return new CodedError("data_loss", `A segment of the journal is damaged: ${why}`);
}
