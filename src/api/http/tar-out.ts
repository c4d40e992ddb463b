import { Readable } from "node:stream";
import { pack, type Pack } from "tar-stream";
import { ahead, type Begun } from "../../base/ahead.ts";
import { coalesce } from "../../base/coalesce.ts";
import { KiB, MiB } from "../../base/size.ts";
import { collect } from "./whole-body.ts";

/** A file or directory on its way into a tar. */
interface TarredFile {
  readonly path: string;
  readonly type: "file" | "dir";
  readonly bytes: number;
  readonly modifiedMicros: number;
  read(signal: AbortSignal): AsyncIterable<Buffer>;
}

/** Files up to this size are read before their turn, so that many are looked up at once. */
const wholeBytesMax = 256 * KiB;
const aheadLimits = { countMax: 256, bytesMax: 8 * MiB };
/** Headers and small files leave together. */
const sliceBytesMin = 64 * KiB;

/** A file whose turn has not come; its content when it is small, else read when it is its turn. */
interface ComingFile {
  readonly file: TarredFile;
  readonly whole: Promise<Buffer> | undefined;
}

/** Files and directories as a tar stream, read as the stream is. */
export function writeTar(files: AsyncIterable<TarredFile>, signal: AbortSignal): Readable {
  const tar = pack();
  fill(tar, files, signal).catch((error: unknown) => {
    tar.destroy(error as Error);
  });
  return Readable.from(coalesce(tar as AsyncIterable<Uint8Array>, sliceBytesMin), {
    objectMode: false,
  });
}

async function fill(
  tar: Pack,
  files: AsyncIterable<TarredFile>,
  signal: AbortSignal,
): Promise<void> {
  const begin = (file: TarredFile): Begun<ComingFile> => beginFile(file, signal);
  for await (const { file, whole } of ahead(files, begin, aheadLimits)) {
    signal.throwIfAborted();
    await addFile(tar, file, { whole: await whole, signal });
  }
  tar.finalize();
}

function beginFile(file: TarredFile, signal: AbortSignal): Begun<ComingFile> {
  if (file.type === "dir" || file.bytes > wholeBytesMax)
    return { value: { file, whole: undefined }, bytes: 0 };
  const whole = collect(file.read(signal), file.bytes);
  // Thrown when its turn comes.
  whole.catch(() => undefined);
  return { value: { file, whole }, bytes: file.bytes };
}

async function addFile(
  tar: Pack,
  file: TarredFile,
  { whole, signal }: { whole: Buffer | undefined; signal: AbortSignal },
): Promise<void> {
  const mtime = new Date(file.modifiedMicros / 1_000);
  if (file.type === "dir") {
    const header = { name: `${file.path}/`, type: "directory" as const, mode: 0o755, mtime };
    await written((done) => tar.entry(header, done));
    return;
  }
  const header = { name: file.path, size: file.bytes, mode: 0o644, mtime };
  if (whole !== undefined) {
    await written((done) => tar.entry(header, whole, done));
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
