import { createGunzip, createZstdDecompress } from "node:zlib";
import { pipeline } from "node:stream/promises";
import { PassThrough, Readable, type Transform } from "node:stream";
import { CodedError, codedErrorFrom } from "../base/errors.ts";
import { present } from "../base/assert.ts";
import type { SplitPart } from "../model/stage-work.ts";
import { readSteadily } from "./read-steadily.ts";
import type { ClaimedTask } from "./worker-host.ts";
import type { WorkerOptions } from "./worker-options.ts";

/** Opens what is at an http or https URL. */
export type FetchUrl = (url: string, signal: AbortSignal) => Promise<AsyncIterable<Uint8Array>>;

type ReadOptions = Pick<WorkerOptions, "host" | "clock" | "fetchUrl">;

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
  let last = newline;
  for (const part of parts) {
    let isFirst = true;
    for await (const piece of unpacked(part, readPart(options, task, part, signal), signal)) {
      if (piece.length === 0) continue;
      if (isFirst && last !== newline) yield Buffer.of(newline);
      isFirst = false;
      last = piece.at(-1)!;
      yield piece;
    }
  }
}

async function* readPart(
  options: ReadOptions,
  task: ClaimedTask,
  { input, path, start, end }: SplitPart,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  if (input === undefined) return yield* fetched(options.fetchUrl, path, signal);
  const { view } = present(
    task.inputs.find(({ name }) => name === input),
    `input ${input} of a map task`,
  );
  const range = { start: start ?? 0, end: end ?? Number.MAX_SAFE_INTEGER };
  yield* readSteadily(options, { view, path, range }, signal);
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
  { path }: SplitPart,
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const unpacker = unpackerFor(path);
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
  const name = path.replace(/[?#].*$/, "").toLowerCase();
  if (name.endsWith(".gz")) return createGunzip();
  if (name.endsWith(".zst") || name.endsWith(".zstd")) return createZstdDecompress();
  return undefined;
}
