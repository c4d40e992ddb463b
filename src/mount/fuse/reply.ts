import {
  nameBytesMax,
  type Attributes,
  type Found,
  type Missing,
  type Opened,
  type Space,
  type UserAndGroup,
} from "../volume.ts";
import { errnoNumber, type Errno } from "../refusal.ts";
import { openFlags, outHeaderBytes, pagesMax, transferBytesMax, version } from "./protocol.ts";

/** Whose files they seem to be. */
export type Owner = UserAndGroup;

/** Bytes of an entry: what a lookup answers, and each name of a list begins with. */
export const entryBytes = 128;
const attributesBytes = 88;

export const typeBits = {
  file: 0o100_000,
  dir: 0o040_000,
  link: 0o120_000,
  pipe: 0o010_000,
  socket: 0o140_000,
} as const;

/** The header of an answer, before its parts. */
export function encodeHeader(id: number, bodyBytes: number): Buffer {
  const header = Buffer.allocUnsafe(outHeaderBytes);
  header.writeUInt32LE(outHeaderBytes + bodyBytes, 0);
  header.writeInt32LE(0, 4);
  u64(header, id, 8);
  return header;
}

/** The whole answer to what is refused. */
export function encodeError(id: number, code: Errno): Buffer {
  const header = encodeHeader(id, 0);
  header.writeInt32LE(-errnoNumber(code), 4);
  return header;
}

/** What is spoken from here on; `flags` are those that both sides know. */
export function encodeInit(wanted: { readAheadBytes: number; flags: number }): Buffer {
  const body = Buffer.alloc(64);
  body.writeUInt32LE(version.major, 0);
  body.writeUInt32LE(version.minor, 4);
  body.writeUInt32LE(wanted.readAheadBytes, 8);
  body.writeUInt32LE(wanted.flags >>> 0, 12);
  body.writeUInt16LE(backgroundMax, 16);
  body.writeUInt16LE((backgroundMax * 3) / 4, 18);
  body.writeUInt32LE(transferBytesMax, 20);
  // Times are in steps of so many nanoseconds.
  body.writeUInt32LE(1_000, 24);
  body.writeUInt16LE(pagesMax, 28);
  return body;
}

/** Requests that the kernel has under way for nobody who waits, read-ahead above all. */
const backgroundMax = 16;

/** What a lookup finds. */
export function encodeEntry(found: Found, owner: Owner): Buffer {
  const body = zeros(entryBytes);
  writeEntry(body, 0, found, owner);
  return body;
}

/** Nobody has this name: an entry without node, which may be remembered. */
export function encodeMissing({ missingMs }: Missing): Buffer {
  const body = zeros(entryBytes);
  validity(body, { secondsAt: 16, nanosAt: 32 }, missingMs);
  return body;
}

export function encodeAttributes(found: Omit<Found, "nameMs">, owner: Owner): Buffer {
  const body = zeros(16 + attributesBytes);
  validity(body, { secondsAt: 0, nanosAt: 8 }, found.attributesMs);
  writeAttributes(body, 16, found.attributes, owner);
  return body;
}

export function encodeOpened(opened: Opened, what: "file to read" | "file" | "dir"): Buffer {
  const body = zeros(16);
  u64(body, opened.handle, 0);
  let flags = 0;
  if (opened.isCacheGood) flags |= openFlags.keepCache;
  if (opened.isCacheGood && what === "dir") flags |= openFlags.cacheDirectory;
  if (what === "file to read") flags |= openFlags.noFlush;
  body.writeUInt32LE(flags, 8);
  return body;
}

/** How many bytes of a write were taken. */
export function encodeWritten(bytes: number): Buffer {
  const body = zeros(8);
  body.writeUInt32LE(bytes, 0);
  return body;
}

export function encodeSpace({ totalBytes, freeBytes }: Space): Buffer {
  const blockBytes = 4096;
  const body = Buffer.alloc(80);
  u64(body, Math.ceil(totalBytes / blockBytes), 0);
  u64(body, Math.floor(freeBytes / blockBytes), 8);
  u64(body, Math.floor(freeBytes / blockBytes), 16);
  body.writeUInt32LE(blockBytes, 40);
  body.writeUInt32LE(nameBytesMax, 44);
  body.writeUInt32LE(blockBytes, 48);
  return body;
}

/** The size of an extended attribute, or of the list of their names, to one who asks for that alone. */
export function encodeExtendedSize(bytes: number): Buffer {
  return encodeWritten(bytes);
}

/** Bytes of a name in a list, without the entry that may stand before it. */
export function listedBytes(nameBytes: number): number {
  return Math.ceil((24 + nameBytes) / 8) * 8;
}

/** Writes an entry; all of its bytes that are not written must be 0. */
export function writeEntry(body: Buffer, at: number, found: Found, owner: Owner): void {
  u64(body, found.attributes.node, at);
  validity(body, { secondsAt: at + 16, nanosAt: at + 32 }, found.nameMs);
  validity(body, { secondsAt: at + 24, nanosAt: at + 36 }, found.attributesMs);
  writeAttributes(body, at + 40, found.attributes, owner);
}

/** Writes a name of a list; `node` is only shown. */
export function writeListed(
  body: Buffer,
  at: number,
  listed: { node: number; next: number; kind: Attributes["kind"]; name: Buffer },
): void {
  u64(body, listed.node, at);
  u64(body, listed.next, at + 8);
  body.writeUInt32LE(listed.name.length, at + 16);
  body.writeUInt32LE(typeBits[listed.kind] >> 12, at + 20);
  listed.name.copy(body, at + 24);
}

function writeAttributes(body: Buffer, at: number, attributes: Attributes, owner: Owner): void {
  const { node, sizeBytes, modifiedMicros, kind, mode, links = 1 } = attributes;
  const { uid, gid } = attributes.owner ?? owner;
  const seconds = Math.floor(modifiedMicros / 1e6);
  const nanos = (modifiedMicros - seconds * 1e6) * 1_000;
  u64(body, node, at);
  u64(body, sizeBytes, at + 8);
  u64(body, Math.ceil(sizeBytes / 512), at + 16);
  for (const time of [0, 1, 2]) {
    u64(body, seconds, at + 24 + 8 * time);
    body.writeUInt32LE(nanos, at + 48 + 4 * time);
  }
  body.writeUInt32LE(typeBits[kind] | mode, at + 60);
  // Of a directory: programs that count links must not trust it.
  body.writeUInt32LE(links, at + 64);
  body.writeUInt32LE(uid, at + 68);
  body.writeUInt32LE(gid, at + 72);
  body.writeUInt32LE(preferredBytes, at + 80);
}

/** What programs are told to read and write at a time. */
const preferredBytes = 128 * 1024;

function validity(body: Buffer, at: { secondsAt: number; nanosAt: number }, ms: number): void {
  u64(body, Math.floor(ms / 1_000), at.secondsAt);
  body.writeUInt32LE((ms % 1_000) * 1e6, at.nanosAt);
}

/** Out of a buffer for many: one of its own would cost more than all that is written to it. */
function zeros(bytes: number): Buffer {
  return Buffer.allocUnsafe(bytes).fill(0);
}

function u64(body: Buffer, value: number, at: number): void {
  body.writeUInt32LE(value % 2 ** 32, at);
  body.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
}
