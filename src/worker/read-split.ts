import { createGunzip, createZstdDecompress } from "node:zlib";
import { pipeline } from "node:stream/promises";
import { PassThrough, Readable, type Transform } from "node:stream";
import { ahead, type Begun } from "../base/ahead.ts";
import { CodedError, codedErrorFrom } from "../base/errors.ts";
import { present } from "../base/assert.ts";
import { KiB, MiB } from "../base/size.ts";
import type { SplitObject, SplitPart } from "../model/stage-work.ts";
import { linesIn, SourceBuckets, type ReadRange } from "./read-object.ts";
import { readSteadily } from "./read-steadily.ts";
import type { ClaimedTask } from "./worker-host.ts";
import type { WorkerOptions } from "./worker-options.ts";

/** Opens what is at an http or https URL. */
export type FetchUrl = (url: string, signal: AbortSignal) => Promise<AsyncIterable<Uint8Array>>;

type ReadOptions = Pick<WorkerOptions, "host" | "clock" | "fetchUrl" | "openBucket">;

/** A task, and the buckets that it reads. */
interface Reading {
  readonly options: ReadOptions;
  readonly task: ClaimedTask;
  readonly buckets: SourceBuckets;
}

/** Objects up to this size are asked for before their turn, so that many are on their way at once. */
const wholeBytesMax = 256 * KiB;
const aheadLimits = { countMax: 16, bytesMax: 4 * MiB };

const newline = 0x0a;

/**
 * What a map task reads: its parts one after the other, gzip and zstd unpacked by their names. Where a part ends within a
 * line and another follows, the line is ended: a record never continues in another file.
 */
export async function* readSplit(
  options: ReadOptions,
  task: ClaimedTask,
  parts: readonly SplitPart[],
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const reading = { options, task, buckets: new SourceBuckets(options.openBucket) };
  const begin = (part: SplitPart): Begun<ComingPart> => beginPart(reading, part, signal);
  let last = newline;
  try {
    for await (const { part, pieces } of ahead(parts, begin, aheadLimits)) {
      let isFirst = true;
      for await (const piece of unpacked(part, pieces(), signal)) {
        if (piece.length === 0) continue;
        if (isFirst && last !== newline) yield Buffer.of(newline);
        isFirst = false;
        last = piece.at(-1)!;
        yield piece;
      }
    }
  } finally {
    await reading.buckets.close();
  }
}

/** A part whose turn has not come. */
interface ComingPart {
  readonly part: SplitPart;
  readonly pieces: () => AsyncIterable<Uint8Array>;
}

function beginPart(reading: Reading, part: SplitPart, signal: AbortSignal): Begun<ComingPart> {
  const { object } = part;
  const isWhole = object !== undefined && part.start === undefined && object.bytes <= wholeBytesMax;
  if (!isWhole) return { value: { part, pieces: () => readPart(reading, part, signal) }, bytes: 0 };
  const whole = collected(readObject(reading, part, { ...object, signal }));
  // Thrown when its turn comes.
  whole.catch(() => undefined);
  const pieces = async function* (): AsyncGenerator<Uint8Array, void, void> {
    yield* await whole;
  };
  return { value: { part, pieces }, bytes: object.bytes };
}

async function collected(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(Buffer.from(piece));
  return all;
}

async function* readPart(
  reading: Reading,
  part: SplitPart,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const { options, task } = reading;
  const { input, object, path, start, end } = part;
  if (object !== undefined) return yield* readObject(reading, part, { ...object, signal });
  if (input === undefined) return yield* fetched(options.fetchUrl, path, signal);
  const { view } = present(
    task.inputs.find(({ name }) => name === input),
    `input ${input} of a map task`,
  );
  const range = { start: start ?? 0, end: end ?? Number.MAX_SAFE_INTEGER };
  yield* readSteadily(options, { view, path, range }, signal);
}

async function* readObject(
  { buckets }: Reading,
  { path: key, start, end }: SplitPart,
  { place, version, bytes, signal }: SplitObject & { readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array, void, void> {
  const object = { place, key, version };
  if (start === undefined || end === undefined) return yield* buckets.read(object, {}, signal);
  const read: ReadRange = (from, to) => buckets.read(object, { start: from, end: to }, signal);
  yield* linesIn(read, { start, end, bytes });
}

async function* fetched(
  fetchUrl: FetchUrl | undefined,
  url: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    if (fetchUrl === undefined) throw new Error("this worker fetches nothing");
    yield* await fetchUrl(url, signal);
  } catch (error) {
    signal.throwIfAborted();
    // An attempt that fails is made again, so often; a host that is away is waited for.
    throw new CodedError("failed_precondition", codedErrorFrom(error).message, { cause: error });
  }
}

async function* unpacked(
  { input, object, path }: SplitPart,
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const isUrl = input === undefined && object === undefined;
  const unpacker = unpackerFor(isUrl ? path.replace(/[?#].*$/, "") : path);
  if (unpacker === undefined) return yield* source;
  const out = new PassThrough({ highWaterMark: 1 << 18 });
  let failed: { readonly error: unknown } | undefined;
  const copies = async function* (): AsyncGenerator<Uint8Array, void, void> {
    try {
      // A piece is good until the next is asked for, and streams ask early.
      for await (const piece of source) yield Buffer.from(piece);
    } catch (error) {
      failed = { error };
      throw error;
    }
  };
  const unpacking = pipeline(Readable.from(copies(), { objectMode: false }), unpacker, out, {
    signal,
  });
  // Awaited below, when the other end has been read or left.
  unpacking.catch(() => undefined);
  try {
    yield* out as AsyncIterable<Uint8Array>;
    await unpacking;
  } catch (error) {
    signal.throwIfAborted();
    if (failed !== undefined) throw failed.error;
    throw new CodedError(
      "data_loss",
      `Cannot unpack ${path}: ${codedErrorFrom(error).message}. Put the file again, or rename it if it is not packed`,
      { cause: error },
    );
  } finally {
    out.destroy();
  }
}

function unpackerFor(path: string): Transform | undefined {
  const name = path.toLowerCase();
  if (name.endsWith(".gz")) return createGunzip();
  if (name.endsWith(".zst") || name.endsWith(".zstd")) return createZstdDecompress();
  return undefined;
}
