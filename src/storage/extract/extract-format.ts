import { createHash, type Hash } from "node:crypto";
import { CodedError } from "../../base/errors.ts";
import { MiB } from "../../base/size.ts";
import { frameHeaderBytes } from "../pack-format.ts";
import { hashBytes } from "../tree/entry.ts";

// The byte grammar is docs/formats/extract.md. All integers are little-endian.

/** What a part of the stream holds. Part of the format. */
export const partKinds = { data: 1, node: 2, records: 3, end: 4 } as const;

export type PartKind = "data" | "node" | "records";

/** A chunk in a part; of records, all of their bytes are one. */
export interface PartChunk {
  readonly hash: Buffer;
  readonly bytes: number;
}

/** A part as it is read: its plain bytes are those of the chunks, one after another. */
export interface Part {
  readonly kind: PartKind;
  readonly chunks: readonly PartChunk[];
  /** As in a pack, header included; alone in its memory. */
  readonly frame: Buffer;
}

/** Plain bytes of a part, unless one chunk has more, which has a part of its own. */
export const partBytesMax = 1 * MiB;
/** And this many chunks. */
export const partChunksMax = 1_024;
/** No part has more, whoever wrote it. */
const plainBytesMax = 64 * MiB;

const magic = Buffer.from("MAMEXTR\x01", "latin1");
const headBytes = 8;
const chunkBytes = hashBytes + 4;
const zeros = Buffer.alloc(4);

/** Adds up what the end of a stream is checked by: all but the stored bytes of frames, which have their own checks. */
export class StreamDigest {
  private readonly hash: Hash = createHash("sha256");

  add(bytes: Uint8Array): void {
    this.hash.update(bytes);
  }

  value(): Buffer {
    return this.hash.digest();
  }
}

export function encodeMagic(): Buffer {
  return Buffer.from(magic);
}

/** What stands before the frame of a part. */
export function encodePartHead(kind: PartKind, chunks: readonly PartChunk[]): Buffer {
  const head = Buffer.alloc(headBytes + chunks.length * chunkBytes);
  head[0] = partKinds[kind];
  head.writeUInt32LE(chunks.length, 4);
  let at = headBytes;
  for (const { hash, bytes } of chunks) {
    at += hash.copy(head, at, 0, hashBytes);
    at = head.writeUInt32LE(bytes, at);
  }
  return head;
}

/** The last bytes of a stream. */
export function encodeEnd(digest: StreamDigest): Buffer {
  const head = Buffer.alloc(headBytes);
  head[0] = partKinds.end;
  digest.add(head);
  return Buffer.concat([head, digest.value()]);
}

/** Gives bytes in the lengths asked for. */
export interface ByteSource {
  /** Fills a buffer from an offset on; gives back how many bytes there were: fewer when the stream ends. */
  fill(buffer: Buffer, start: number): Promise<number>;
}

/**
 * The parts of a stream, in order; it has been whole when there are no more.
 *
 * @throws CodedError `invalid_argument` when it is cut off, damaged or something else
 */
export async function* readParts(source: ByteSource): AsyncGenerator<Part, void, void> {
  const digest = new StreamDigest();
  const found = Buffer.alloc(magic.length);
  await source.fill(found, 0);
  if (!found.equals(magic)) throw foreign(found);
  digest.add(found);
  for (;;) {
    const head = await need(source, headBytes);
    digest.add(head);
    if (head[0] === partKinds.end) return await readEnd(source, { head, digest });
    yield await readPart(source, { head, digest });
  }
}

async function readEnd(
  source: ByteSource,
  { head, digest }: { head: Buffer; digest: StreamDigest },
): Promise<void> {
  const found = await need(source, hashBytes);
  if (!head.subarray(1).equals(Buffer.alloc(headBytes - 1)) || !found.equals(digest.value()))
    throw damagedStream("its checksum is wrong");
  if ((await source.fill(Buffer.alloc(1), 0)) > 0) throw damagedStream("something follows its end");
}

async function readPart(
  source: ByteSource,
  { head, digest }: { head: Buffer; digest: StreamDigest },
): Promise<Part> {
  const kind = (["data", "node", "records"] as const).find((one) => partKinds[one] === head[0]);
  if (kind === undefined || !head.subarray(1, 4).equals(zeros.subarray(1)))
    throw damagedStream(`it has a part of kind ${head[0]}`);
  const count = head.readUInt32LE(4);
  if (count === 0 || count > partChunksMax) throw damagedStream(`a part has ${count} chunks`);
  const table = await need(source, count * chunkBytes);
  digest.add(table);
  const chunks: PartChunk[] = [];
  let plainBytes = 0;
  for (let at = 0; at < table.length; at += chunkBytes) {
    const bytes = table.readUInt32LE(at + hashBytes);
    chunks.push({ hash: Buffer.from(table.subarray(at, at + hashBytes)), bytes });
    plainBytes += bytes;
  }
  const frame = await readFrame(source, { plainBytes, count, digest });
  return { kind, chunks, frame };
}

async function readFrame(
  source: ByteSource,
  { plainBytes, count, digest }: { plainBytes: number; count: number; digest: StreamDigest },
): Promise<Buffer> {
  const header = await need(source, frameHeaderBytes);
  digest.add(header);
  const storedBytes = header.readUInt32LE(12);
  const isRight =
    plainBytes <= plainBytesMax &&
    header.readUInt32LE(4) === count &&
    header.readUInt32LE(8) === plainBytes &&
    storedBytes <= plainBytes;
  if (!isRight) throw damagedStream("a part contradicts itself");
  const frame = Buffer.allocUnsafeSlow(frameHeaderBytes + storedBytes);
  header.copy(frame);
  await needAll(source, frame, frameHeaderBytes);
  return frame;
}

async function need(source: ByteSource, count: number): Promise<Buffer> {
  const bytes = Buffer.alloc(count);
  await needAll(source, bytes, 0);
  return bytes;
}

async function needAll(source: ByteSource, buffer: Buffer, start: number): Promise<void> {
  if ((await source.fill(buffer, start)) === buffer.length - start) return;
  throw new CodedError(
    "invalid_argument",
    "Cannot restore: the stream ends early. Nothing was restored. Extract once more, or look at how it was copied",
  );
}

/** A stream that is not as it was written. */
export function damagedStream(how: string, cause?: unknown): CodedError {
  return new CodedError(
    "invalid_argument",
    `Cannot restore: the stream is damaged: ${how}. Nothing was restored. Extract once more, or look at how it was copied`,
    cause === undefined ? {} : { cause },
  );
}

function foreign(found: Buffer): CodedError {
  const isOther = found.subarray(0, magic.length - 1).equals(magic.subarray(0, magic.length - 1));
  return new CodedError(
    "invalid_argument",
    isOther
      ? `Cannot restore: the stream has version ${found.at(-1)}, this program reads ${magic.at(-1)}. Nothing was restored. Restore it with a newer release`
      : 'Cannot restore: this is not what "pachctl extract" writes. Nothing was restored. Check which file it is, and whether it is still compressed',
  );
}
