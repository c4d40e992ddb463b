import { crc32 } from "node:zlib";
import { assert } from "../base/assert.ts";
import { CodedError } from "../base/errors.ts";
import { KiB, MiB } from "../base/size.ts";
import type { ChunkRow } from "../metadata/index.ts";
import { hashBytes } from "./tree/entry.ts";

// The byte grammar is docs/formats/packs.md. All integers are little-endian.

/** No pack is longer, unless by one frame alone. Nodes stay in memory until their pack is sealed. */
export const packBytesMaxOf = { data: 64 * MiB, node: 16 * MiB } as const;
/** No pack holds more chunks, unless in one frame: what is known of them is in memory until it is indexed. */
export const packChunksMax = 65_536;
/** Chunks up to this size share frames; a longer one is a frame of its own. */
export const sharedChunkBytesMax = 128 * KiB;
/** Plain bytes of a shared frame, unless one chunk has more. Nodes are read one here and one there. */
export const sharedFrameBytesMax = { data: 256 * KiB, node: 64 * KiB } as const;

export const packHeaderBytes = 8;
export const frameHeaderBytes = 20;
export const trailerBytes = 16;

/** How the bytes of a frame, or of an inline chunk, are kept. Part of the format. */
export const codec = { stored: 0, zstd: 1 } as const;

const packMagic = Buffer.from("MAMPACK\x01", "latin1");
const trailerMagic = Buffer.from("MAMTAIL\x01", "latin1");
const frameMagic = 0xf7;
const footerHeadBytes = 8;
const footerFrameBytes = 12;
const footerChunkBytes = hashBytes + 4;

export interface FrameHeader {
  readonly codec: number;
  readonly chunks: number;
  readonly plainBytes: number;
  /** Length of what follows the header. */
  readonly storedBytes: number;
}

/** A frame as the footer lists it. Frames follow one another from the header on, chunks fill their frame. */
export interface FooterFrame {
  /** Stored length, header included. */
  readonly bytes: number;
  readonly chunks: readonly { readonly hash: Buffer; readonly bytes: number }[];
}

/** What an intact frame holds, still encoded. */
export interface OpenedFrame {
  readonly header: FrameHeader;
  readonly stored: Buffer;
}

export function encodePackHeader(): Buffer {
  return Buffer.from(packMagic);
}

/** Whether a pack starts as one must. */
export function isPackHeader(pack: Buffer): boolean {
  return pack.subarray(0, packHeaderBytes).equals(packMagic);
}

/** The header that stands before `stored`, with the checksum of both. */
export function encodeFrameHeader(header: FrameHeader, stored: Uint8Array): Buffer {
  assert(header.storedBytes === stored.length, "a frame header names another length");
  const bytes = Buffer.alloc(frameHeaderBytes);
  bytes[0] = frameMagic;
  bytes[1] = header.codec;
  bytes.writeUInt32LE(header.chunks, 4);
  bytes.writeUInt32LE(header.plainBytes, 8);
  bytes.writeUInt32LE(header.storedBytes, 12);
  bytes.writeUInt32LE(crc32(stored, crc32(bytes.subarray(0, 16))), 16);
  return bytes;
}

/**
 * Opens one whole frame.
 *
 * @throws CodedError `data_loss` unless every bit is as it was written
 */
export function openFrame(frame: Buffer): OpenedFrame {
  if (frame.length < frameHeaderBytes) throw damaged("a frame is cut off");
  const header = readFrameHeader(frame);
  const stored = frame.subarray(frameHeaderBytes);
  if (header.storedBytes !== stored.length) throw damaged("a frame has the wrong length");
  if (crc32(stored, crc32(frame.subarray(0, 16))) !== frame.readUInt32LE(16)) {
    throw damaged("a frame does not match its checksum");
  }
  return { header, stored };
}

function readFrameHeader(frame: Buffer): FrameHeader {
  if (frame[0] !== frameMagic) throw damaged("a frame does not start where the index says");
  const [codecByte, keyId, reserved] = [frame[1]!, frame[2]!, frame[3]!];
  if (codecByte > codec.zstd || keyId !== 0 || reserved !== 0) {
    throw damaged(
      `a frame has codec ${codecByte} and key ${keyId}, which this version cannot read`,
    );
  }
  const plainBytes = frame.readUInt32LE(8);
  if (plainBytes > packBytesMaxOf.data) throw damaged("a frame claims to be too long");
  return {
    codec: codecByte,
    chunks: frame.readUInt32LE(4),
    plainBytes,
    storedBytes: frame.readUInt32LE(12),
  };
}

/** The footer and the trailer, which end a pack. */
export function encodeFooter(frames: readonly FooterFrame[]): Buffer {
  const chunks = frames.reduce((sum, frame) => sum + frame.chunks.length, 0);
  const footerBytes = footerLength(frames.length, chunks);
  const bytes = Buffer.allocUnsafe(footerBytes + trailerBytes);
  let at = bytes.writeUInt32LE(frames.length, 0);
  at = bytes.writeUInt32LE(chunks, at);
  for (const frame of frames) {
    at = bytes.writeUInt32LE(frame.bytes, at);
    at = bytes.writeUInt32LE(
      frame.chunks.reduce((sum, chunk) => sum + chunk.bytes, 0),
      at,
    );
    at = bytes.writeUInt32LE(frame.chunks.length, at);
  }
  for (const { hash, bytes: length } of frames.flatMap((frame) => frame.chunks)) {
    at += hash.copy(bytes, at, 0, hashBytes);
    at = bytes.writeUInt32LE(length, at);
  }
  at = bytes.writeUInt32LE(footerBytes, at);
  at = bytes.writeUInt32LE(crc32(bytes.subarray(0, at)), at);
  trailerMagic.copy(bytes, at);
  return bytes;
}

/** Length of footer and trailer together. */
export function footerBytesFor(frames: number, chunks: number): number {
  return footerLength(frames, chunks) + trailerBytes;
}

function footerLength(frames: number, chunks: number): number {
  return footerHeadBytes + frames * footerFrameBytes + chunks * footerChunkBytes;
}

/**
 * How many bytes at the end of a pack hold footer and trailer, told from its last bytes.
 *
 * @throws CodedError `data_loss`
 */
export function footerBytesOf(tail: Buffer): number {
  if (tail.length < trailerBytes) throw damaged("it is cut off");
  const trailer = tail.subarray(tail.length - trailerBytes);
  if (!trailer.subarray(8).equals(trailerMagic)) throw damaged("it does not end like a pack");
  return trailer.readUInt32LE(0) + trailerBytes;
}

/**
 * Reads the footer of a pack of `packBytes`, given its last `footerBytesOf()` bytes or more.
 *
 * @throws CodedError `data_loss` unless every bit is as it was written
 */
export function decodeFooter(tail: Buffer, pack: { id: string; bytes: number }): ChunkRow[] {
  const length = footerBytesOf(tail);
  if (length > tail.length || length > pack.bytes) throw damaged("its footer is cut off");
  const footer = tail.subarray(tail.length - length, tail.length - trailerBytes);
  const checked = tail.subarray(tail.length - length, tail.length - trailerBytes + 4);
  if (crc32(checked) !== tail.readUInt32LE(tail.length - trailerBytes + 4)) {
    throw damaged("its footer does not match its checksum");
  }
  if (footer.length < footerHeadBytes) throw damaged("its footer is too short");
  const [frames, chunks] = [footer.readUInt32LE(0), footer.readUInt32LE(4)];
  if (footer.length !== footerLength(frames, chunks))
    throw damaged("its footer has the wrong length");
  const rows = readRows(footer, { frames, pack: pack.id });
  if (rows.length !== chunks || rows.end + length !== pack.bytes)
    throw damaged("its footer contradicts itself");
  return rows.rows;
}

function readRows(
  footer: Buffer,
  of: { frames: number; pack: string },
): { rows: ChunkRow[]; length: number; end: number } {
  const rows: ChunkRow[] = [];
  let frameOffset = packHeaderBytes;
  let at = footerHeadBytes + of.frames * footerFrameBytes;
  for (let frame = 0; frame < of.frames; frame++) {
    const entry = footerHeadBytes + frame * footerFrameBytes;
    const frameBytes = footer.readUInt32LE(entry);
    const plainBytes = footer.readUInt32LE(entry + 4);
    let offset = 0;
    for (let left = footer.readUInt32LE(entry + 8); left > 0; left--) {
      if (at + footerChunkBytes > footer.length) throw damaged("its footer contradicts itself");
      const hash = Buffer.from(footer.subarray(at, at + hashBytes));
      const bytes = footer.readUInt32LE(at + hashBytes);
      rows.push({ hash, pack: of.pack, frameOffset, frameBytes, offset, bytes });
      offset += bytes;
      at += footerChunkBytes;
    }
    if (offset !== plainBytes) throw damaged("its footer contradicts itself");
    frameOffset += frameBytes;
  }
  return { rows, length: rows.length, end: frameOffset };
}

/** Where packs are in the object store. */
export const packsPrefix = "packs/";

/** The key of a pack's object. */
export function packKey(id: string): string {
  return `${packsPrefix}${id.slice(0, 2)}/${id}`;
}

/** The id of a pack by its key; undefined for an object that is none. */
export function packIdOf(key: string): string | undefined {
  const id = key.slice(-32);
  return /^[0-9a-f]{32}$/.test(id) && packKey(id) === key ? id : undefined;
}

function damaged(how: string): CodedError {
  return new CodedError("data_loss", `Stored data is damaged: ${how}`);
}
