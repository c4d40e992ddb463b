import { Readable } from "node:stream";
import { pack, type Pack } from "tar-stream";
import { KiB } from "../../base/size.ts";
import { collect } from "./whole-body.ts";

/** A file or directory on its way into a tar. */
interface TarredFile {
  readonly path: string;
  readonly type: "file" | "dir";
  readonly bytes: number;
  readonly modifiedMicros: number;
  read(signal: AbortSignal): AsyncIterable<Buffer>;
}

/** Files up to this size are written with their header in one step. */
const wholeBytesMax = 256 * KiB;

/** Files and directories as a tar stream, read as the stream is. */
export function writeTar(files: AsyncIterable<TarredFile>, signal: AbortSignal): Readable {
  const tar = pack();
  fill(tar, files, signal).catch((error: unknown) => {
    tar.destroy(error as Error);
  });
  return Readable.from(tar, { objectMode: false });
}

async function fill(
  tar: Pack,
  files: AsyncIterable<TarredFile>,
  signal: AbortSignal,
): Promise<void> {
  for await (const file of files) {
    signal.throwIfAborted();
    await addFile(tar, file, signal);
  }
  tar.finalize();
}

async function addFile(tar: Pack, file: TarredFile, signal: AbortSignal): Promise<void> {
  const mtime = new Date(file.modifiedMicros / 1_000);
  if (file.type === "dir") {
    const header = { name: `${file.path}/`, type: "directory" as const, mode: 0o755, mtime };
    await written((done) => tar.entry(header, done));
    return;
  }
  const header = { name: file.path, size: file.bytes, mode: 0o644, mtime };
  if (file.bytes <= wholeBytesMax) {
    const bytes = await collect(file.read(signal), file.bytes);
    await written((done) => tar.entry(header, bytes, done));
    return;
  }
  await written((done) => {
    const entry = tar.entry(header, done);
    pipe(file.read(signal), entry).catch((error: unknown) => {
      entry.destroy(error as Error);
    });
  });
}

/** The part of a tar entry that takes bytes. */
interface ByteSink {
  write(bytes: Uint8Array): boolean;
  end(last: undefined): unknown;
  once(event: "drain", listener: () => void): unknown;
}

async function pipe(content: AsyncIterable<Uint8Array>, entry: ByteSink): Promise<void> {
  for await (const bytes of content) {
    if (entry.write(bytes)) continue;
    await new Promise<void>((resolve) => {
      entry.once("drain", resolve);
    });
  }
  entry.end(undefined);
}

async function written(add: (done: (error?: Error | null) => void) => unknown): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    add((error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}
