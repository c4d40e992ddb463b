import { isCoded } from "../base/errors.ts";
import {
  piecesOf,
  type Content,
  type NodeSource,
  type PieceRange,
  type Storage,
} from "../storage/index.ts";
import type { ByteRange } from "./view.ts";

/** Content of which only some ranges are shown, end to end. */
export interface ShownContent {
  readonly content: Content;
  readonly nodes: NodeSource;
  readonly ranges: readonly ByteRange[];
}

/** Bytes `[start, end)` of what is shown. */
export async function* readRanges(
  storage: Pick<Storage, "readPieces">,
  shown: ShownContent,
  wanted: ByteRange,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, void> {
  yield* storage.readPieces(pieceRanges(shown, wanted), signal);
}

/**
 * What is read of something that others may delete meanwhile.
 *
 * @param find finds it, or throws what is to be said when it is gone
 */
export async function* unlessDeleted(
  parts: AsyncIterable<Buffer>,
  find: () => Promise<unknown>,
): AsyncGenerator<Buffer, void, void> {
  try {
    yield* parts;
  } catch (error) {
    if (isCoded(error, "data_loss")) await find();
    throw error;
  }
}

async function* pieceRanges(
  shown: ShownContent,
  wanted: ByteRange,
): AsyncGenerator<PieceRange, void, void> {
  let shownBefore = 0;
  for (const range of shown.ranges) {
    const length = range.end - range.start;
    const from = Math.max(0, wanted.start - shownBefore);
    const to = Math.min(length, wanted.end - shownBefore);
    shownBefore += length;
    if (from >= to) continue;
    const part = { start: range.start + from, end: range.start + to };
    for await (const { piece, offset } of piecesOf(shown.content, part, shown.nodes)) {
      yield {
        hash: piece.hash,
        bytes: piece.bytes,
        start: Math.max(0, part.start - offset),
        end: Math.min(piece.bytes, part.end - offset),
      };
    }
  }
}
