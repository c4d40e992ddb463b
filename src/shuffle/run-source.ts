import { throwIfCancelled } from "../base/cancelled.ts";
import type { FileSystem } from "../base/file-system.ts";
import { KiB } from "../base/size.ts";
import { damage } from "./run-format.ts";

/** Where a run can be read: a file here, or one on another machine. */
export interface RunSource {
  /** For error messages. */
  readonly name: string;
  readonly bytes: number;
  /** The bytes `[start, end)` in pieces of any size, each the reader's own. */
  read(start: number, end: number, signal: AbortSignal | undefined): AsyncIterable<Uint8Array>;
}

export const pieceBytesMax = 128 * KiB;

/** A run that is a file. It is opened for each read, so nothing has to be closed. */
export function fileRunSource(
  fs: Pick<FileSystem, "open">,
  path: string,
  bytes: number,
  pieceBytes: number = pieceBytesMax,
): RunSource {
  return {
    name: path,
    bytes,
    async *read(start, end, signal) {
      const handle = await fs.open(path, "r");
      try {
        for (let at = start; at < end;) {
          throwIfCancelled(signal);
          const piece = Buffer.allocUnsafeSlow(Math.min(pieceBytes, end - at));
          const { bytesRead } = await handle.read(piece, 0, piece.length, at);
          if (bytesRead === 0) throw damage(path, `it ends at ${at}, before ${end}`);
          yield piece.subarray(0, bytesRead);
          at += bytesRead;
        }
      } finally {
        await handle.close();
      }
    },
  };
}
