import { assert } from "../../base/assert.ts";
import { sha256Hex } from "../../base/hash.ts";
import type { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import {
  emptyContent,
  hashBytes,
  inlinePiecesMax,
  type Content,
  type Entry,
  type ListRef,
  type Piece,
} from "./entry.ts";

/** No tree is deeper: every inner node has two children or more, but the last of its level. */
export const levelMax = 64;

const noBlockEnds: readonly number[] = [];

/** Part of the format: docs/formats/trees.md. */
export function writePiece(out: ByteWriter, piece: Piece): void {
  assert(piece.bytes > 0, "a piece holds at least one byte");
  out.fixed(piece.hash, hashBytes);
  out.varint(piece.bytes);
  out.varint(piece.blockEnds.length);
  let previous = 0;
  for (const blockEnd of piece.blockEnds) {
    assert(
      blockEnd > previous && blockEnd <= piece.bytes,
      "block ends ascend and lie inside their piece",
    );
    out.varint(blockEnd - previous);
    previous = blockEnd;
  }
}

/** The inverse of writePiece(). */
export function readPiece(from: ByteReader): Piece {
  const hash = from.raw(hashBytes);
  const bytes = from.varintIn(1, Number.MAX_SAFE_INTEGER, "the length of a piece");
  const count = from.varintIn(0, bytes, "the number of block ends");
  if (count === 0) return { hash, bytes, blockEnds: noBlockEnds };
  const blockEnds: number[] = [];
  let previous = 0;
  for (let i = 0; i < count; i++) {
    previous += from.varintIn(1, bytes - previous, "a block end");
    blockEnds.push(previous);
  }
  return { hash, bytes, blockEnds };
}

/** The pieces or the list of a file; which of both stands in the flags of its entry. */
export function writeContent(out: ByteWriter, content: Content): void {
  if (content.kind === "list") {
    const { list } = content;
    assert(
      list.pieces > inlinePiecesMax && list.bytes === content.bytes,
      "a list is of many pieces and of its bytes",
    );
    assert(list.digest.equals(list.address), "lists hold no times: their digest is their address");
    out.fixed(list.address, hashBytes);
    out.u8(list.level);
    out.varint(list.pieces);
    out.varint(list.bytes);
    return;
  }
  assert(content.pieces.length <= inlinePiecesMax, "many pieces stand in a list");
  out.varint(content.pieces.length);
  let bytes = 0;
  for (const piece of content.pieces) {
    writePiece(out, piece);
    bytes += piece.bytes;
  }
  assert(bytes === content.bytes, "a content's bytes are those of its pieces");
}

/** The inverse of writeContent(). */
export function readContent(from: ByteReader, kind: Content["kind"]): Content {
  if (kind === "list") {
    const list = readListRef(from);
    return { kind, list, bytes: list.bytes };
  }
  const count = from.varintIn(0, inlinePiecesMax, "the number of pieces");
  if (count === 0) return emptyContent;
  const pieces: Piece[] = [];
  let bytes = 0;
  for (let i = 0; i < count; i++) {
    const piece = readPiece(from);
    pieces.push(piece);
    bytes += piece.bytes;
  }
  if (!Number.isSafeInteger(bytes)) from.fail("a file is over 2^53-1 bytes");
  return { kind, pieces, bytes };
}

function readListRef(from: ByteReader): ListRef {
  const address = from.raw(hashBytes);
  const level = from.u8();
  if (level > levelMax) from.fail(`the level of a list is ${level}, over ${levelMax}`);
  const pieces = from.varintIn(
    inlinePiecesMax + 1,
    Number.MAX_SAFE_INTEGER,
    "the number of pieces of a list",
  );
  return { address, digest: address, level, pieces, bytes: from.varint() };
}

/**
 * What users see as a file's digest, in hex: equal for equal pieces and block ends, whatever the
 * path, time and commit. Part of the format.
 */
export function contentDigest(entry: Pick<Entry, "content">): string {
  const out = new ByteWriter(128);
  out.u8(entry.content.kind === "list" ? 1 : 0);
  writeContent(out, entry.content);
  return sha256Hex(out.view());
}

/** True when both hold the same pieces with the same block ends. */
export function sameContent(a: Content, b: Content): boolean {
  if (a.bytes !== b.bytes) return false;
  if (a.kind === "list") return b.kind === "list" && a.list.address.equals(b.list.address);
  if (b.kind === "list" || a.pieces.length !== b.pieces.length) return false;
  return a.pieces.every((piece, i) => samePiece(piece, b.pieces[i]!));
}

function samePiece(a: Piece, b: Piece): boolean {
  return (
    a.bytes === b.bytes &&
    a.hash.equals(b.hash) &&
    a.blockEnds.length === b.blockEnds.length &&
    a.blockEnds.every((blockEnd, i) => blockEnd === b.blockEnds[i])
  );
}
