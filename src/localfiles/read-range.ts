import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { explainLocal } from "../base/local-error.ts";
import { MiB } from "../base/size.ts";
import { openRegular } from "./open-regular.ts";

const pieceBytes = MiB;
/** Pieces read ahead of the one that is taken: a disk asked for several gives twice as much. */
const aheadMax = 3;

/** A piece on its way. */
interface Reading {
  readonly piece: Buffer;
  readonly bytes: number;
  readonly count: Promise<number>;
}

/** See LocalFiles.read(). */
export async function* readRange(
  path: string,
  { offset, bytesMax }: { readonly offset: number; readonly bytesMax: number },
): AsyncGenerator<Uint8Array, void, void> {
  try {
    const file = await openRegular(path, constants.O_RDONLY);
    try {
      const { size } = await file.stat();
      yield* piecesOf(file, { start: offset, end: offset + bytesMax, size });
    } finally {
      await file.close();
    }
  } catch (error) {
    throw explainLocal(error, path);
  }
}

async function* piecesOf(
  file: FileHandle,
  { start, end, size }: { readonly start: number; readonly end: number; readonly size: number },
): AsyncGenerator<Uint8Array, void, void> {
  const unused: Buffer[] = [];
  const ahead: Reading[] = [];
  let asked = start;
  try {
    for (let at = start; ;) {
      // Behind the end that it had, one looks whether it has grown.
      const askMax = (): number => (asked < size ? aheadMax : 1);
      for (; ahead.length < askMax() && asked < end; asked += pieceBytes) {
        const piece = unused.pop() ?? Buffer.allocUnsafeSlow(pieceBytes);
        ahead.push(readPiece(file, piece, { from: asked, end }));
      }
      const first = ahead.shift();
      if (first === undefined) return;
      const count = await first.count;
      if (count === 0) return;
      at += count;
      if (count < first.bytes) {
        // The file ends there, or grows: what was asked for behind it is asked for again.
        await Promise.allSettled(ahead.map((reading) => reading.count));
        unused.push(...ahead.splice(0).map(({ piece }) => piece));
        asked = at;
      }
      yield first.piece.subarray(0, count);
      unused.push(first.piece);
    }
  } finally {
    // Also for who leaves: nothing may be read into memory or from a file that is gone.
    await Promise.allSettled(ahead.map((reading) => reading.count));
  }
}

function readPiece(
  file: FileHandle,
  piece: Buffer,
  { from, end }: { readonly from: number; readonly end: number },
): Reading {
  const bytes = Math.min(pieceBytes, end - from);
  const count = file.read(piece, 0, bytes, from).then(({ bytesRead }) => bytesRead);
  // Thrown when it is its turn.
  count.catch(() => undefined);
  return { piece, bytes, count };
}
