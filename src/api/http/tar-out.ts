import { ahead, type Begun } from "../../base/ahead.ts";
import { freeBytes } from "../../base/free-bytes.ts";
import { KiB, MiB } from "../../base/size.ts";
import { encodeTarHeaders, tarBlockBytes, tarPaddingOf } from "../../model/tar-headers.ts";
import { collect } from "./whole-body.ts";

/** A file or directory on its way into a tar. */
export interface TarredEntry {
  readonly path: string;
  readonly type: "file" | "dir";
  readonly bytes: number;
  readonly modifiedMicros: number;
}

/** Directories and small files, which are read together. */
export interface TarredBatch {
  readonly entries: readonly TarredEntry[];
  /** Their contents together. */
  readonly bytes: number;
  /** Reads the content of each file to its place in a buffer. */
  readInto(buffer: Buffer, places: readonly number[], signal: AbortSignal): Promise<void>;
}

/** A file that is read by itself. */
export interface TarredFile extends TarredEntry {
  read(signal: AbortSignal): AsyncIterable<Buffer>;
}

/** Files up to this size are read before their turn. */
const wholeBytesMax = 256 * KiB;
const aheadLimits = { countMax: 32, bytesMax: 4 * MiB };

/** A part of the tar: in memory when it is small, else read when it is its turn. */
type Part =
  | { readonly kind: "whole"; readonly bytes: Promise<Buffer> }
  | { readonly kind: "stream"; readonly slices: AsyncIterable<Buffer> };

/** Files and directories as a tar stream. */
export interface Tar {
  /** In buffers of up to about a megabyte. */
  readonly parts: AsyncIterable<Buffer>;
  /** Gives the memory of a part back at once, unless others may look into it. */
  readonly free: (part: Buffer) => void;
}

/** Makes the tar while it is read. */
export function writeTar(
  walked: AsyncIterable<TarredBatch | TarredFile>,
  signal: AbortSignal,
): Tar {
  const own = new WeakSet<Buffer>();
  return {
    parts: partsOf(walked, own, signal),
    free(part) {
      if (own.has(part)) freeBytes(part);
    },
  };
}

async function* partsOf(
  walked: AsyncIterable<TarredBatch | TarredFile>,
  own: WeakSet<Buffer>,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, void> {
  const begin = (files: TarredBatch | TarredFile): Begun<Part> => beginPart(files, signal);
  for await (const part of ahead(walked, begin, aheadLimits)) {
    signal.throwIfAborted();
    if (part.kind === "whole") {
      const whole = await part.bytes;
      own.add(whole);
      yield whole;
    } else yield* part.slices;
  }
  // Two empty blocks are its end.
  yield Buffer.alloc(2 * tarBlockBytes);
}

function beginPart(files: TarredBatch | TarredFile, signal: AbortSignal): Begun<Part> {
  if ("read" in files && files.bytes > wholeBytesMax)
    return { value: { kind: "stream", slices: streamed(files, signal) }, bytes: 0 };
  const whole = "read" in files ? wholeOf(files, signal) : together(files, signal);
  // Thrown when its turn comes.
  whole.catch(() => undefined);
  return { value: { kind: "whole", bytes: whole }, bytes: files.bytes };
}

async function* streamed(file: TarredFile, signal: AbortSignal): AsyncGenerator<Buffer> {
  yield headersOf(file);
  yield* file.read(signal);
  if (tarPaddingOf(file.bytes) > 0) yield Buffer.alloc(tarPaddingOf(file.bytes));
}

async function wholeOf(file: TarredFile, signal: AbortSignal): Promise<Buffer> {
  const content = await collect(file.read(signal), file.bytes);
  return Buffer.concat([headersOf(file), content, Buffer.alloc(tarPaddingOf(file.bytes))]);
}

async function together(batch: TarredBatch, signal: AbortSignal): Promise<Buffer> {
  const headers = batch.entries.map(headersOf);
  const bytes = batch.entries.reduce(
    (sum, entry, i) => sum + headers[i]!.length + entry.bytes + tarPaddingOf(entry.bytes),
    0,
  );
  const tar = Buffer.allocUnsafeSlow(bytes);
  const places: number[] = [];
  let at = 0;
  for (const [i, entry] of batch.entries.entries()) {
    at += headers[i]!.copy(tar, at);
    places.push(at);
    at += entry.bytes;
    tar.fill(0, at, at + tarPaddingOf(entry.bytes));
    at += tarPaddingOf(entry.bytes);
  }
  await batch.readInto(tar, places, signal);
  return tar;
}

function headersOf({ path, type, bytes, modifiedMicros }: TarredEntry): Buffer {
  const modifiedSeconds = Math.floor(modifiedMicros / 1_000_000);
  return type === "dir"
    ? encodeTarHeaders({ name: `${path}/`, type: "directory", bytes: 0, modifiedSeconds })
    : encodeTarHeaders({ name: path, type: "file", bytes, modifiedSeconds });
}
