import { constants } from "node:fs";
import { isUtf8 } from "node:buffer";
import type { Change, UserAndGroup } from "../volume.ts";
import { changeFlags, inHeaderBytes, opcodes, writeHeaderBytes } from "./protocol.ts";

/** A handle and where in it. */
interface Span {
  readonly handle: number;
  readonly offset: number;
  readonly bytes: number;
}

/** A name that is to be made. */
interface Made {
  readonly name: string | undefined;
  /** Permission bits. */
  readonly mode: number;
}

/** What is asked, without who asked. A name that is not UTF-8 is undefined. */
export type Question =
  | {
      readonly op: "init";
      readonly major: number;
      readonly minor: number;
      readonly readAheadBytes: number;
      readonly flags: number;
    }
  | {
      readonly op: "lookup" | "unlink" | "removeDirectory";
      readonly name: string | undefined;
    }
  | ({ readonly op: "makeDirectory" } & Made)
  | {
      readonly op: "forget";
      readonly nodes: readonly { readonly node: number; readonly uses: number }[];
    }
  | { readonly op: "getAttributes" }
  | { readonly op: "destroy" }
  | { readonly op: "statFs" }
  | { readonly op: "setAttributes"; readonly change: Change }
  | {
      readonly op: "rename";
      readonly name: string | undefined;
      readonly directory: number;
      readonly newName: string | undefined;
      readonly flags: number;
    }
  | { readonly op: "open"; readonly flags: number }
  | { readonly op: "openDirectory"; readonly flags: number }
  | ({ readonly op: "create"; readonly flags: number } & Made)
  | ({ readonly op: "read" | "readDirectory" | "readDirectoryPlus" } & Span)
  | {
      readonly op: "write";
      readonly handle: number;
      readonly offset: number;
      readonly isAppend: boolean;
      /** Lies in the bytes of the request. */
      readonly content: Uint8Array;
    }
  | {
      readonly op: "release" | "releaseDirectory" | "flush" | "fsync" | "fsyncDirectory";
      readonly handle: number;
    }
  | { readonly op: "getExtended"; readonly name: string | undefined; readonly bytesMax: number }
  | { readonly op: "listExtended"; readonly bytesMax: number }
  | { readonly op: "access"; readonly mask: number }
  | { readonly op: "interrupt"; readonly id: number }
  | ({ readonly op: "makeLink"; readonly target: string | undefined } & Made)
  | { readonly op: "readLink" }
  | { readonly op: "addName"; readonly node: number; readonly name: string | undefined }
  /** `mode` has the bits of the type too. */
  | ({ readonly op: "makeSpecial" } & Made)
  | { readonly op: "unknown"; readonly opcode: number };

/** One request of the kernel. */
export interface Request {
  /** By which its answer is recognised. */
  readonly id: number;
  readonly node: number;
  /** Who asks. */
  readonly owner: UserAndGroup;
  readonly question: Question;
}

/**
 * Reads a request.
 *
 * @throws RangeError when it is cut short
 */
export function decodeRequest(bytes: Buffer): Request {
  const length = bytes.readUInt32LE(0);
  if (length !== bytes.length)
    throw new RangeError(`a request of ${length} bytes came as ${bytes.length}`);
  const opcode = bytes.readUInt32LE(4);
  return {
    id: u64(bytes, 8),
    node: u64(bytes, 16),
    owner: { uid: bytes.readUInt32LE(24), gid: bytes.readUInt32LE(28) },
    question: decodeQuestion(opcode, bytes.subarray(inHeaderBytes)),
  };
}

function decodeQuestion(opcode: number, body: Buffer): Question {
  switch (opcode) {
    case opcodes.lookup:
      return { op: "lookup", name: nameAt(body, 0).name };
    case opcodes.unlink:
      return { op: "unlink", name: nameAt(body, 0).name };
    case opcodes.removeDirectory:
      return { op: "removeDirectory", name: nameAt(body, 0).name };
    case opcodes.makeDirectory:
      return { op: "makeDirectory", name: nameAt(body, 8).name, mode: modeAt(body, 0) };
    case opcodes.rename:
      return { ...names(body, 8), op: "rename", directory: u64(body, 0), flags: 0 };
    case opcodes.rename2:
      return {
        ...names(body, 16),
        op: "rename",
        directory: u64(body, 0),
        flags: body.readUInt32LE(8),
      };
    case opcodes.forget:
    case opcodes.batchForget:
    case opcodes.interrupt:
    case opcodes.init:
    case opcodes.destroy:
      return decodeControl(opcode, body);
    case opcodes.getAttributes:
      return { op: "getAttributes" };
    case opcodes.setAttributes:
      return { op: "setAttributes", change: changeIn(body) };
    case opcodes.statFs:
      return { op: "statFs" };
    case opcodes.getExtended:
      return { op: "getExtended", bytesMax: body.readUInt32LE(0), name: nameAt(body, 8).name };
    case opcodes.listExtended:
      return { op: "listExtended", bytesMax: body.readUInt32LE(0) };
    case opcodes.access:
      return { op: "access", mask: body.readUInt32LE(0) };
    case opcodes.link:
    case opcodes.symlink:
    case opcodes.readLink:
    case opcodes.makeNode:
      return decodeLink(opcode, body);
    default:
      return decodeOnHandle(opcode, body);
  }
}

/** What makes or reads what is neither a file nor a directory. */
function decodeLink(opcode: number, body: Buffer): Question {
  switch (opcode) {
    case opcodes.link:
      return { op: "addName", node: u64(body, 0), name: nameAt(body, 8).name };
    case opcodes.symlink: {
      const { name, newName } = names(body, 0);
      return { op: "makeLink", name, target: newName, mode: 0o777 };
    }
    case opcodes.makeNode:
      return { op: "makeSpecial", name: nameAt(body, 16).name, mode: body.readUInt32LE(0) };
    default:
      return { op: "readLink" };
  }
}

function changeIn(body: Buffer): Change {
  const valid = body.readUInt32LE(0);
  const has = (flag: number): boolean => (valid & flag) !== 0;
  const micros = (): number =>
    Number(body.readBigInt64LE(40)) * 1e6 + Math.floor(body.readUInt32LE(60) / 1_000);
  return {
    ...(has(changeFlags.size) ? { sizeBytes: u64(body, 16) } : {}),
    ...(has(changeFlags.mode) ? { mode: modeAt(body, 68) } : {}),
    ...(has(changeFlags.uid) ? { uid: body.readUInt32LE(76) } : {}),
    ...(has(changeFlags.gid) ? { gid: body.readUInt32LE(80) } : {}),
    ...(has(changeFlags.modified)
      ? { modifiedMicros: has(changeFlags.modifiedNow) ? ("now" as const) : micros() }
      : {}),
  };
}

/** Without the type. */
function modeAt(body: Buffer, at: number): number {
  return body.readUInt32LE(at) & 0o7777;
}

/** What is not about a file. */
function decodeControl(opcode: number, body: Buffer): Question {
  switch (opcode) {
    case opcodes.forget:
      return { op: "forget", nodes: [{ node: 0, uses: u64(body, 0) }] };
    case opcodes.batchForget: {
      const nodes = Array.from({ length: body.readUInt32LE(0) }, (_, index) => ({
        node: u64(body, 8 + 16 * index),
        uses: u64(body, 16 + 16 * index),
      }));
      return { op: "forget", nodes };
    }
    case opcodes.interrupt:
      return { op: "interrupt", id: u64(body, 0) };
    case opcodes.init:
      return {
        op: "init",
        major: body.readUInt32LE(0),
        minor: body.readUInt32LE(4),
        readAheadBytes: body.readUInt32LE(8),
        flags: body.readUInt32LE(12),
      };
    default:
      return { op: "destroy" };
  }
}

/** What is about an open file or directory, or opens one. */
function decodeOnHandle(opcode: number, body: Buffer): Question {
  switch (opcode) {
    case opcodes.open:
      return { op: "open", flags: body.readUInt32LE(0) };
    case opcodes.openDirectory:
      return { op: "openDirectory", flags: body.readUInt32LE(0) };
    case opcodes.create:
      return {
        op: "create",
        flags: body.readUInt32LE(0),
        mode: modeAt(body, 4),
        name: nameAt(body, 16).name,
      };
    case opcodes.read:
      return { op: "read", ...span(body) };
    case opcodes.readDirectory:
      return { op: "readDirectory", ...span(body) };
    case opcodes.readDirectoryPlus:
      return { op: "readDirectoryPlus", ...span(body) };
    case opcodes.write: {
      const { handle, offset, bytes } = span(body);
      const content = body.subarray(writeHeaderBytes, writeHeaderBytes + bytes);
      if (content.length !== bytes) throw new RangeError("a write is cut short");
      const isAppend = (body.readUInt32LE(32) & constants.O_APPEND) !== 0;
      return { op: "write", handle, offset, isAppend, content };
    }
    case opcodes.release:
      return { op: "release", handle: u64(body, 0) };
    case opcodes.releaseDirectory:
      return { op: "releaseDirectory", handle: u64(body, 0) };
    case opcodes.flush:
      return { op: "flush", handle: u64(body, 0) };
    case opcodes.fsync:
      return { op: "fsync", handle: u64(body, 0) };
    case opcodes.fsyncDirectory:
      return { op: "fsyncDirectory", handle: u64(body, 0) };
    default:
      return { op: "unknown", opcode };
  }
}

function span(body: Buffer): Span {
  return { handle: u64(body, 0), offset: u64(body, 8), bytes: body.readUInt32LE(16) };
}

function names(
  body: Buffer,
  start: number,
): { name: string | undefined; newName: string | undefined } {
  const { name, end } = nameAt(body, start);
  return { name, newName: nameAt(body, end + 1).name };
}

function nameAt(body: Buffer, start: number): { name: string | undefined; end: number } {
  const end = body.indexOf(0, start);
  if (end < 0) throw new RangeError("a name has no end");
  const bytes = body.subarray(start, end);
  return { name: isUtf8(bytes) ? bytes.toString("utf8") : undefined, end };
}

/** Nodes, handles and requests are counted; offsets of files stay below 2^53. */
function u64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;
}
