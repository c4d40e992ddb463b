import type { Readable } from "node:stream";
import { hasErrno } from "../../base/errno.ts";
import { CodedError } from "../../base/errors.ts";
import { KiB, MiB } from "../../base/size.ts";
import { joinPath, parsePath, type FilePath } from "../../model/paths.ts";
import { tarBlockBytes, tarPaddingOf } from "../../model/tar-headers.ts";
import { TarBytes } from "./tar-bytes.ts";
import {
  readLongName,
  readPaxRecords,
  readTarHeader,
  tarError,
  type TarExtension,
  type TarHeader,
} from "./tar-header.ts";
import { freedSlices } from "./whole-body.ts";

/** Files up to this size travel together, */
const batchedBytesMax = 128 * KiB;
/** so many, or of so many bytes, at a time. */
const batchFilesMax = 512;
const batchBytes = MiB;
/** Longer ones are handed on whole up to this size, so that several can be on their way at once. */
const wholeBytesMax = 256 * KiB;
/** No name and no other extension is longer. */
const extensionBytesMax = MiB;

/** A file of a tar; its content must be read before the next file is asked for. */
export interface TarFile {
  readonly path: FilePath;
  readonly content: Buffer | AsyncIterable<Uint8Array>;
}

/** Small files; their contents follow one another in one buffer, which is given away. */
export interface TarBatch {
  readonly paths: readonly FilePath[];
  /** Of each. */
  readonly sizes: readonly number[];
  readonly contents: Buffer;
}

/**
 * The regular files of a tar stream, below a folder, in order. Directories are made by the files in them;
 * links and devices are refused.
 *
 * @throws CodedError `invalid_argument` for what is no tar, or ends in the middle
 */
export async function* readTar(
  source: Readable,
  folder: string,
): AsyncGenerator<TarFile | TarBatch, void, void> {
  const below = parsePath(folder);
  const bytes = new TarBytes(freedSlices(uncut(source)));
  let batch = new Batch();
  try {
    for (;;) {
      const file = await nextFile(bytes);
      if (file === undefined) break;
      const path = joinPath(below, parsePath(file.name));
      const isBatched = file.bytes <= batchedBytesMax;
      if (!batch.isEmpty && !(isBatched && batch.hasRoomFor(file.bytes))) {
        yield batch;
        batch = new Batch();
      }
      if (!isBatched) {
        yield { path, content: await contentOf(bytes, file.bytes) };
      } else {
        const at = batch.add(path, file.bytes);
        if (!bytes.copyNow(batch.contents, at, file.bytes))
          await bytes.copy(batch.contents, at, file.bytes);
      }
      await skipPadding(bytes, file.bytes);
    }
    if (!batch.isEmpty) yield batch;
  } finally {
    bytes.close();
  }
}

class Batch implements TarBatch {
  readonly paths: FilePath[] = [];
  readonly sizes: number[] = [];
  contents: Buffer = Buffer.alloc(0);
  private bytes = 0;

  get isEmpty(): boolean {
    return this.paths.length === 0;
  }

  hasRoomFor(bytes: number): boolean {
    return this.paths.length < batchFilesMax && this.bytes + bytes <= batchBytes;
  }

  /** Where its content goes. */
  add(path: FilePath, bytes: number): number {
    const at = this.bytes;
    if (this.isEmpty) this.contents = Buffer.allocUnsafeSlow(batchBytes);
    this.paths.push(path);
    this.sizes.push(bytes);
    this.bytes += bytes;
    return at;
  }
}

/** The next regular file, its content not yet read; undefined at the end. */
async function nextFile(bytes: TarBytes): Promise<TarHeader | undefined> {
  let extension: TarExtension = {};
  for (;;) {
    const block = bytes.takeNow(tarBlockBytes) ?? (await bytes.takeUnlessOver(tarBlockBytes));
    if (block === undefined) return undefined;
    const plain = readTarHeader(block);
    if (plain === undefined) continue;
    const header = { ...plain, ...extension };
    if (!Number.isSafeInteger(header.bytes) || header.bytes < 0)
      throw tarError("the size of a file in it is none");
    switch (header.type) {
      case "file":
      case "contiguous-file":
        if (header.name.includes("\uFFFD"))
          throw new CodedError(
            "invalid_argument",
            `Cannot store ${JSON.stringify(header.name)}: its name is not UTF-8. Rename it`,
          );
        return header;
      case "directory":
        extension = {};
        break;
      case "pax-header":
        extension = { ...extension, ...readPaxRecords(await extensionOf(bytes, plain)) };
        break;
      case "gnu-long-path":
        extension = { ...extension, ...readLongName(await extensionOf(bytes, plain)) };
        break;
      case "pax-global-header":
      case "gnu-long-link-path":
        await extensionOf(bytes, plain);
        break;
      case "link":
      case "symlink":
      case "character-device":
      case "block-device":
      case "fifo":
      case "thing of an unknown kind":
        throw new CodedError(
          "invalid_argument",
          `Cannot store ${header.name}: it is a ${header.type} in the tar. Send regular files, for example with "tar --dereference"`,
        );
    }
  }
}

async function extensionOf(bytes: TarBytes, header: TarHeader): Promise<Buffer> {
  if (header.bytes > extensionBytesMax) throw tarError("a name in it is too long");
  const content = Buffer.alloc(header.bytes);
  await bytes.copy(content, 0, header.bytes);
  await skipPadding(bytes, header.bytes);
  return content;
}

async function contentOf(
  bytes: TarBytes,
  length: number,
): Promise<Buffer | AsyncIterable<Uint8Array>> {
  if (length > wholeBytesMax) return bytes.slices(length);
  const content = Buffer.allocUnsafeSlow(length);
  await bytes.copy(content, 0, length);
  return content;
}

async function skipPadding(bytes: TarBytes, length: number): Promise<void> {
  const padding = tarPaddingOf(length);
  if (!bytes.skipNow(padding)) await bytes.skip(padding);
}

/** A body whose sender goes away in the middle says so. */
async function* uncut(source: Readable): AsyncGenerator<Buffer, void, void> {
  try {
    // Not destroyed when the tar is refused: its connection takes the answer.
    yield* source.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  } catch (error) {
    if (!hasErrno(error, "ECONNRESET")) throw error;
    throw new CodedError(
      "cancelled",
      "The upload was cut off: nothing of it is kept. Send it again",
      { cause: error },
    );
  }
}
