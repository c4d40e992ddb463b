import type { BytesRange, Compute } from "./compute.ts";
import type { CutPoint, CutWindow } from "./ingest-cuts.ts";
import type { IngestWindow } from "./ingest-window.ts";
import type { Piece } from "./tree/entry.ts";

export interface HashedChunk extends BytesRange {
  readonly hash: Buffer;
}

/** A window whose chunks can be stored. */
export interface HashedWindow {
  readonly window: IngestWindow;
  readonly chunks: readonly HashedChunk[];
  /** The same chunks as pieces of the stream. */
  readonly pieces: readonly Piece[];
  /** Behind the last of them. */
  readonly after: CutPoint;
}

/** Windows hashed at a time. */
const hashingMax = 2;

/**
 * Hashes windows in order, each while the next one is cut, and gives one away as soon as it is hashed: a source
 * that is slow holds up nothing that has come. Whoever gets a window frees it.
 */
export async function* hashWindows(
  cuts: AsyncIterable<CutWindow>,
  compute: Compute,
): AsyncGenerator<HashedWindow, void, void> {
  const source = cuts[Symbol.asyncIterator]();
  const hashing: Promise<HashedWindow>[] = [];
  let coming: Promise<IteratorResult<CutWindow>> | undefined;
  let isOver = false;
  try {
    for (;;) {
      const first = hashing[0];
      if (!isOver && hashing.length < hashingMax) coming ??= source.next();
      const cut = await firstOf(coming, first);
      if (cut === undefined) {
        if (first === undefined) return;
        void hashing.shift();
        yield await first;
        continue;
      }
      coming = undefined;
      if (cut.done === true) isOver = true;
      else {
        const window = hashWindow(cut.value, compute);
        // Thrown when it is its turn.
        window.catch(() => undefined);
        hashing.push(window);
      }
    }
  } finally {
    for (const window of hashing) freeWhenItComes(window);
    if (coming !== undefined) freeWhenItComes(coming.then(({ value }) => value ?? undefined));
    // Not awaited: a source that hangs would hang here.
    source.return?.().catch(() => undefined);
  }
}

/** The next cut, unless the first window is hashed before it comes. */
async function firstOf(
  coming: Promise<IteratorResult<CutWindow>> | undefined,
  first: Promise<HashedWindow> | undefined,
): Promise<IteratorResult<CutWindow> | undefined> {
  const hashed = first?.then(() => undefined);
  if (coming === undefined) return await hashed;
  return await (hashed === undefined ? coming : Promise.race([coming, hashed]));
}

function freeWhenItComes(coming: Promise<{ readonly window: IngestWindow } | undefined>): void {
  coming.then(
    (come) => come?.window.free(),
    () => undefined,
  );
}

/** Frees the window when that fails. */
async function hashWindow(
  { window, chunks, after }: CutWindow,
  compute: Compute,
): Promise<HashedWindow> {
  const { buffer, hashes } = await compute
    .hash({ buffer: window.buffer, ranges: chunks })
    .catch((error: unknown) => {
      window.free();
      throw error;
    });
  window.buffer = buffer;
  const hashed = chunks.map(({ start, end }, i) => ({ start, end, hash: hashes[i]! }));
  const pieces = chunks.map(({ start, end, blockEnds }, i) => ({
    hash: hashes[i]!,
    bytes: end - start,
    blockEnds,
  }));
  return { window, chunks: hashed, pieces, after };
}
