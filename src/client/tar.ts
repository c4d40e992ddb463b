import { once, type EventEmitter } from "node:events";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Pack } from "tar-stream";
import { ahead, type Begun } from "../base/ahead.ts";
import { coalesce } from "../base/coalesce.ts";
import { CodedError } from "../base/errors.ts";
import { KiB, MiB } from "../base/size.ts";

/** Files up to this size are read before their turn, several at a time. */
const wholeBytesMax = 256 * KiB;
const aheadLimits = { countMax: 32, bytesMax: 8 * MiB };
/** Header and small files leave together. */
const sliceBytesMin = 64 * KiB;

type EntryHeader = Parameters<Pack["entry"]>[0];

/** One file for packTar(). */
export interface TarFile {
  readonly path: string;
  /** Must be what `open` gives. */
  readonly sizeBytes: number;
  readonly open: () => AsyncIterable<Uint8Array>;
}

/** One file out of unpackTar(); its content must be read before the next one is asked for, or is skipped. */
export interface UnpackedFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly content: AsyncIterable<Uint8Array>;
}

/**
 * A tar stream of the files, made while it is read: memory holds a few buffers, whatever the sizes.
 *
 * @throws CodedError `aborted` when a file gives another number of bytes than it said
 */
export async function* packTar(
  files: Iterable<TarFile> | AsyncIterable<TarFile>,
): AsyncGenerator<Uint8Array, void, void> {
  const { pack } = await import("tar-stream");
  const archive = pack();
  const feeding = feed(archive, files).catch((error: unknown) => {
    archive.destroy(error as Error);
  });
  try {
    yield* coalesce(archive as AsyncIterable<Uint8Array>, sliceBytesMin);
  } finally {
    archive.destroy();
    await feeding;
  }
}

/** A file whose turn has not come; its content when it is small, else read when it is its turn. */
interface ComingFile {
  readonly file: TarFile;
  readonly whole: Promise<Buffer> | undefined;
}

async function feed(
  archive: Pack,
  files: Iterable<TarFile> | AsyncIterable<TarFile>,
): Promise<void> {
  for await (const { file, whole } of ahead(files, beginFile, aheadLimits)) {
    const header = { name: file.path, size: file.sizeBytes, mode: 0o644, mtime: new Date(0) };
    if (whole === undefined) await addLarge(archive, header, file);
    else await addWhole(archive, header, await whole);
  }
  archive.finalize();
}

function beginFile(file: TarFile): Begun<ComingFile> {
  if (file.sizeBytes > wholeBytesMax) return { value: { file, whole: undefined }, bytes: 0 };
  const whole = readWhole(file);
  // Thrown when its turn comes.
  whole.catch(() => undefined);
  return { value: { file, whole }, bytes: file.sizeBytes };
}

async function readWhole(file: TarFile): Promise<Buffer> {
  const slices: Uint8Array[] = [];
  for await (const slice of checked(file)) slices.push(slice);
  return Buffer.concat(slices);
}

/** The bytes of a file, which must be as many as it said. */
async function* checked(file: TarFile): AsyncGenerator<Uint8Array, void, void> {
  let bytes = 0;
  for await (const slice of file.open()) {
    bytes += slice.length;
    if (bytes > file.sizeBytes) break;
    yield slice;
  }
  if (bytes === file.sizeBytes) return;
  throw new CodedError(
    "aborted",
    `Cannot read ${file.path}: its size changed from ${file.sizeBytes} bytes while it was read. Repeat the command when nothing writes to it`,
  );
}

async function addWhole(archive: Pack, header: EntryHeader, content: Buffer): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const entry = archive.entry(header, content, (error) => {
      if (error instanceof Error) reject(error);
      else resolve();
    });
    // The callback above has the error already; without a listener it would end the process.
    entry.on("error", () => undefined);
  });
}

async function addLarge(archive: Pack, header: EntryHeader, file: TarFile): Promise<void> {
  const closed = new AbortController();
  await new Promise<void>((resolve, reject) => {
    const entry = archive.entry(header, (error) => {
      closed.abort();
      if (error instanceof Error) reject(error);
      else resolve();
    });
    entry.on("error", () => undefined);
    writeEntry(entry, file, closed.signal).catch(reject);
  });
}

async function writeEntry(
  entry: ReturnType<Pack["entry"]>,
  file: TarFile,
  closed: AbortSignal,
): Promise<void> {
  for await (const slice of checked(file)) {
    if (!entry.write(slice))
      await once(entry as unknown as EventEmitter, "drain", { signal: closed });
  }
  entry.end(null);
}

/** The files of a tar stream, in order; directories and links are left out. */
export async function* unpackTar(
  tar: AsyncIterable<Uint8Array>,
): AsyncGenerator<UnpackedFile, void, void> {
  const { extract } = await import("tar-stream");
  const archive = extract();
  let failure: unknown;
  const feeding = pipeline(Readable.from(tar), archive).catch((error: unknown) => {
    failure = error;
  });
  try {
    for await (const entry of archive) {
      const { name, size, type } = entry.header;
      if (type === "file")
        yield {
          path: name,
          sizeBytes: size ?? 0,
          content: entry as AsyncIterable<unknown> as AsyncIterable<Uint8Array>,
        };
      entry.resume();
    }
  } catch (error) {
    throw failure ?? error;
  } finally {
    archive.destroy();
    await feeding;
  }
}
