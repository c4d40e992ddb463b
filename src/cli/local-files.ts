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
  | { readonly kind: "file"; readonly sizeBytes: number }
  | { readonly kind: "directory" }
  | { readonly kind: "pipe" };

/** @throws CodedError when it does not exist or may not be looked at */
export async function kindOf(fileSystem: FileSystem, path: string): Promise<LocalKind> {
  try {
    const stat = await fileSystem.stat(path);
    if (stat.isFile()) return { kind: "file", sizeBytes: stat.size };
    return { kind: stat.isDirectory() ? "directory" : "pipe" };
  } catch (error) {
    throw explainLocal(error, path);
  }
}

/** Files up to this size are read without a stream, which would take longer to make than to read. */
const atOnceBytesMax = 256 * KiB;

/** A file's bytes in pieces of a MiB; with `bytesMax` no more than that, so that a growing log has an end. */
export async function* readLocal(
  fileSystem: FileSystem,
  path: string,
  bytesMax = Infinity,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    const file = await fileSystem.open(path, "r");
    if (bytesMax <= atOnceBytesMax) yield* readAtOnce(file, bytesMax);
    else
      yield* file.createReadStream({
        highWaterMark: MiB,
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
  const begin = (entry: Dirent): Begun<{ entry: Dirent; kind: Promise<LocalKind> }> => {
    const kind = kindOf(fileSystem, join(directory, entry.name));
    // Thrown when its turn comes.
    kind.catch(() => undefined);
    return { value: { entry, kind }, bytes: 0 };
  };
  const entries = await entriesOf(fileSystem, directory);
  for await (const { entry, kind } of ahead(entries, begin, { countMax: 32, bytesMax: 0 })) {
    const local = join(directory, entry.name);
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    refuseUnreadable(entry, local);
    const found = await kind;
    if (found.kind === "file") yield { local, below: path, sizeBytes: found.sizeBytes };
    else if (found.kind === "directory" && !entry.isSymbolicLink())
      yield* walk(fileSystem, local, path);
    else throw notStorable(local, found.kind);
  }
}

/**
 * The same files without their sizes, which need not be asked for then: only links are looked at.
 *
 * @throws CodedError as walk()
 */
export async function* walkNames(
  fileSystem: FileSystem,
  directory: string,
  below = "",
): AsyncGenerator<Omit<FoundFile, "sizeBytes">, void, void> {
  for (const entry of await entriesOf(fileSystem, directory)) {
    const local = join(directory, entry.name);
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    refuseUnreadable(entry, local);
    if (entry.isFile()) yield { local, below: path };
    else if (entry.isDirectory()) yield* walkNames(fileSystem, local, path);
    else {
      const { kind } = await kindOf(fileSystem, local);
      if (kind !== "file") throw notStorable(local, kind);
      yield { local, below: path };
    }
  }
}

/** By name. */
async function entriesOf(fileSystem: FileSystem, directory: string): Promise<Dirent[]> {
  try {
    const entries = await fileSystem.readdir(directory, { withFileTypes: true });
    return entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    throw explainLocal(error, directory);
  }
}

function refuseUnreadable({ name }: Dirent, local: string): void {
  if (name.includes("\uFFFD"))
    throw new CodedError(
      "invalid_argument",
      `Cannot put ${local}: its name is not UTF-8. Rename it`,
    );
}

function notStorable(local: string, kind: LocalKind["kind"]): CodedError {
  const what =
    kind === "directory" ? "a symbolic link to a directory" : "neither a file nor a directory";
  return new CodedError(
    "invalid_argument",
    `Cannot put ${local}: it is ${what}. Put it by itself, or move it out of the directory`,
  );
}
