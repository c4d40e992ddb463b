import type { Dirent } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { ahead, type Begun } from "../base/ahead.ts";
import { CodedError } from "../base/errors.ts";
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

/** A file below a directory: its own path, and the one relative to the directory. */
export interface FoundFile {
  readonly local: string;
  readonly below: string;
  readonly sizeBytes: number;
  /** Another one when its bytes may be others. */
  readonly version: string;
}

/**
 * All files below a directory, by name; links to files count as files.
 *
 * @throws CodedError for what cannot be stored as a file, rather than leaving it out silently
 */
export async function* walk(
  fileSystem: FileSystem,
  directory: string,
  below = "",
): AsyncGenerator<FoundFile, void, void> {
  const entries = await fileSystem
    .readdir(directory, { withFileTypes: true })
    .catch((error: unknown) => {
      throw explainLocal(error, directory);
    });
  const begin = (entry: Dirent): Begun<{ entry: Dirent; kind: Promise<LocalKind> }> => {
    const kind = kindOf(fileSystem, join(directory, entry.name));
    // Thrown when its turn comes.
    kind.catch(() => undefined);
    return { value: { entry, kind }, bytes: 0 };
  };
  const sorted = entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  for await (const { entry, kind } of ahead(sorted, begin, { countMax: 32, bytesMax: 0 })) {
    const local = join(directory, entry.name);
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.name.includes("\uFFFD"))
      throw new CodedError(
        "invalid_argument",
        `Cannot put ${local}: its name is not UTF-8. Rename it`,
      );
    const found = await kind;
    if (found.kind === "file") {
      const { sizeBytes, version } = found;
      yield { local, below: path, sizeBytes, version };
    } else if (found.kind === "directory" && !entry.isSymbolicLink())
      yield* walk(fileSystem, local, path);
    else {
      const what =
        found.kind === "directory"
          ? "a symbolic link to a directory"
          : "neither a file nor a directory";
      throw new CodedError(
        "invalid_argument",
        `Cannot put ${local}: it is ${what}. Put it by itself, or move it out of the directory`,
      );
    }
  }
}
