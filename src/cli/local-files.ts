import type { FileHandle } from "node:fs/promises";
import type { FileSystem } from "../base/file-system.ts";
import { explainLocal } from "../base/local-error.ts";
import { KiB, MiB } from "../base/size.ts";

/** What a name on the command line is. A pipe or device has no size and can be read once only. */
export type LocalKind =
  | {
      readonly kind: "file";
      readonly sizeBytes: number;
      /** Another one when its bytes may be others. */
      readonly version: string;
    }
  | { readonly kind: "directory" }
  | { readonly kind: "pipe" };

/** @throws CodedError when it does not exist or may not be looked at */
export async function kindOf(fileSystem: FileSystem, path: string): Promise<LocalKind> {
  try {
    const stat = await fileSystem.stat(path);
    if (stat.isFile())
      return { kind: "file", sizeBytes: stat.size, version: `${stat.mtimeMs} ${stat.ctimeMs}` };
    return { kind: stat.isDirectory() ? "directory" : "pipe" };
  } catch (error) {
    throw explainLocal(error, path);
  }
}

/** Files up to this size are read without a stream, which would take longer to make than to read. */
const atOnceBytesMax = 256 * KiB;

/**
 * A file's bytes from `startBytes` on, in pieces of a MiB; with `bytesMax` up to there at most, so that a growing log
 * has an end.
 */
export async function* readLocal(
  fileSystem: FileSystem,
  path: string,
  bytesMax = Infinity,
  startBytes = 0,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    const file = await fileSystem.open(path, "r");
    if (bytesMax <= atOnceBytesMax && startBytes === 0) yield* readAtOnce(file, bytesMax);
    else if (startBytes >= bytesMax) await file.close();
    else
      yield* file.createReadStream({
        highWaterMark: MiB,
        start: startBytes,
        end: bytesMax - 1,
      }) as AsyncIterable<Buffer>;
  } catch (error) {
    throw explainLocal(error, path);
  }
}

async function* readAtOnce(
  file: FileHandle,
  bytesMax: number,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    for (let left = bytesMax; left > 0;) {
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(left), 0, left);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
      left -= bytesRead;
    }
  } finally {
    await file.close();
  }
}
