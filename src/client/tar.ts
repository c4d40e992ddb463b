import { once, type EventEmitter } from "node:events";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Pack } from "tar-stream";
import { CodedError } from "../base/errors.ts";

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
    yield* archive as AsyncIterable<Uint8Array>;
  } finally {
    archive.destroy();
    await feeding;
  }
}

async function feed(
  archive: Pack,
  files: Iterable<TarFile> | AsyncIterable<TarFile>,
): Promise<void> {
  for await (const file of files) {
    const closed = new AbortController();
    const completed = new Promise<void>((resolve, reject) => {
      const entry = archive.entry(
        { name: file.path, size: file.sizeBytes, mode: 0o644, mtime: new Date(0) },
        (error) => {
          closed.abort();
          if (error instanceof Error) reject(error);
          else resolve();
        },
      );
      // The callback above has the error already; without a listener it would end the process.
      entry.on("error", () => undefined);
      writeEntry(entry, file, closed.signal).catch(reject);
    });
    await completed;
  }
  archive.finalize();
}

async function writeEntry(
  entry: ReturnType<Pack["entry"]>,
  file: TarFile,
  closed: AbortSignal,
): Promise<void> {
  let bytes = 0;
  for await (const chunk of file.open()) {
    bytes += chunk.length;
    if (bytes > file.sizeBytes) break;
    if (!entry.write(chunk))
      await once(entry as unknown as EventEmitter, "drain", { signal: closed });
  }
  if (bytes !== file.sizeBytes) {
    throw new CodedError(
      "aborted",
      `Cannot read ${file.path}: its size changed from ${file.sizeBytes} bytes while it was read. Repeat the command when nothing writes to it`,
    );
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
