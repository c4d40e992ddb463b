import type { Content, NodeSource, Piece } from "./entry.ts";
import { readListNode, type ListChild } from "./list-format.ts";

/** Bytes [start, end) of a file. Default: all of it. */
export interface ByteRange {
  readonly start?: number;
  readonly end?: number;
}

/** A piece, and where in the file its first byte stands. */
export interface PlacedPiece {
  readonly piece: Piece;
  readonly offset: number;
}

/** The pieces that hold the bytes of a range, whole and in order. Reads one node of a list a level to find the first. */
export async function* piecesOf(
  content: Content,
  { start = 0, end = content.bytes }: ByteRange,
  source: NodeSource,
): AsyncGenerator<PlacedPiece, void, void> {
  const range = { start, end };
  if (start >= end) return;
  if (content.kind === "pieces") yield* placed(content.pieces, 0, range);
  else yield* placedIn({ ...content.list, offset: 0 }, range, source);
}

async function* placedIn(
  at: { address: Buffer; level: number; offset: number },
  range: Required<ByteRange>,
  source: NodeSource,
): AsyncGenerator<PlacedPiece, void, void> {
  const node = await readListNode(at.address, at.level, source);
  if (node.kind === "leaf") {
    yield* placed(node.items, at.offset, range);
    return;
  }
  let { offset } = at;
  for (const child of node.items) {
    if (offset >= range.end) return;
    if (overlaps(child, offset, range))
      yield* placedIn({ address: child.address, level: at.level - 1, offset }, range, source);
    offset += child.bytes;
  }
}

function* placed(
  pieces: readonly Piece[],
  at: number,
  range: Required<ByteRange>,
): Generator<PlacedPiece, void, void> {
  let offset = at;
  for (const piece of pieces) {
    if (offset >= range.end) return;
    if (overlaps(piece, offset, range)) yield { piece, offset };
    offset += piece.bytes;
  }
}

function overlaps(item: Piece | ListChild, offset: number, range: Required<ByteRange>): boolean {
  return offset + item.bytes > range.start && offset < range.end;
}
