import type { BytesRange, Compute } from "./compute.ts";
import type { CutWindow } from "./ingest-cuts.ts";
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
}

/** Hashes windows in order, each while the next one is cut. Whoever gets a window frees it. */
export async function* hashWindows(
  cuts: AsyncIterable<CutWindow>,
  compute: Compute,
): AsyncGenerator<HashedWindow, void, void> {
  let hashing: Promise<HashedWindow> | undefined;
  try {
    for await (const cut of cuts) {
      const before = hashing;
      hashing = hashWindow(cut, compute);
      // Thrown when it is its turn.
      hashing.catch(() => undefined);
      if (before !== undefined) yield await before;
    }
    const last = hashing;
    hashing = undefined;
    if (last !== undefined) yield await last;
  } finally {
    hashing?.then(
      ({ window }) => {
        window.free();
      },
      () => undefined,
    );
  }
}

async function hashWindow({ window, chunks }: CutWindow, compute: Compute): Promise<HashedWindow> {
  const { buffer, hashes } = await compute.hash({ buffer: window.buffer, ranges: chunks });
  window.buffer = buffer;
  const hashed = chunks.map(({ start, end }, i) => ({ start, end, hash: hashes[i]! }));
  const pieces = chunks.map(({ start, end, blockEnds }, i) => ({
    hash: hashes[i]!,
    bytes: end - start,
    blockEnds,
  }));
  return { window, chunks: hashed, pieces };
}
