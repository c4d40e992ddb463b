import { commitBytes, inlinePiecesMax, type Entry, type Piece } from "./entry.ts";
import { decodeRun, encodeRun } from "./run-format.ts";

/** Pieces of a stream as a run, the form in which all rows refer to chunks: as many in an entry as it holds. */
export function encodePieces(pieces: readonly Piece[]): Buffer {
  const entries: Entry[] = [];
  for (let at = 0; at < pieces.length; at += inlinePiecesMax) {
    const some = pieces.slice(at, at + inlinePiecesMax);
    const key = Buffer.alloc(4);
    key.writeUInt32BE(at);
    entries.push({
      key,
      type: "file",
      reset: false,
      clear: false,
      content: {
        kind: "pieces",
        pieces: some,
        bytes: some.reduce((sum, { bytes }) => sum + bytes, 0),
      },
      modifiedMicros: 0,
      commit: Buffer.alloc(commitBytes),
    });
  }
  return encodeRun(entries);
}

/** The inverse of encodePieces(). Hashes are views of `bytes`. */
export function decodePieces(bytes: Buffer): Piece[] {
  return decodeRun(bytes).flatMap(({ content }) =>
    content.kind === "pieces" ? content.pieces : [],
  );
}
