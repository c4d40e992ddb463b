import { isCoded } from "../base/errors.ts";
import type { ObjectStore } from "../objectstore/index.ts";
import type { ChunkIndex } from "./chunk-index.ts";
import type { Compute } from "./compute.ts";
import { chunksToLookUp, guessPlaces, type ChunkPlace } from "./guess-places.ts";
import { freeMemory } from "./memory.ts";
import { packKey, sharedChunkBytesMax } from "./pack-format.ts";

/** A whole chunk, and where in a buffer it belongs. */
export interface WantedChunk {
  readonly hash: Buffer;
  /** At least 1, as of every piece there is: no two are in the same place of the buffer. */
  readonly bytes: number;
  readonly at: number;
}

export interface ReadBatchDeps {
  readonly objects: ObjectStore;
  readonly compute: Compute;
  readonly index: ChunkIndex;
  /** Reads one chunk, whatever it takes. */
  readonly readChunk: (hash: Buffer, bytes: number) => Promise<Buffer>;
}

/** With fewer wanted chunks in it, a frame is better kept for others who want the rest. */
const wantedMin = 8;
/** Frames in memory at a time. */
const framesMax = 4;
/** Chunks read one by one at a time. */
const chunksMax = 64;

/**
 * Reads many chunks into a buffer. What lies together in a frame is read, checked and copied together; the rest,
 * and what is not where it should be, one by one.
 *
 * @throws CodedError `data_loss` when a chunk is nowhere or damaged, naming its hash
 */
export async function readBatch(
  deps: ReadBatchDeps,
  chunks: readonly WantedChunk[],
  into: Buffer,
  signal: AbortSignal,
): Promise<void> {
  const options = { into, signal };
  const first = chunksToLookUp(chunks);
  const located = await deps.index.locateAll(first.map((i) => chunks[i]!.hash));
  const unread = await readFrames(deps, chunks, guessPlaces(chunks, first, located), options);
  // Most of the time this is nothing.
  const all = await deps.index.locateAll(unread.map(({ hash }) => hash));
  const each = unread.map((_, i) => i);
  const left = await readFrames(deps, unread, guessPlaces(unread, each, all), options);
  for (let at = 0; at < left.length; at += chunksMax) {
    const reading = left.slice(at, at + chunksMax).map(async (wanted) => {
      const chunk = await deps.readChunk(wanted.hash, wanted.bytes);
      chunk.copy(into, wanted.at);
    });
    await Promise.all(reading);
  }
}

interface PlacedChunk extends WantedChunk {
  readonly place: ChunkPlace;
}

/** Reads those of which many are in one frame; gives back the others, in order, and those that were not there. */
async function readFrames(
  deps: ReadBatchDeps,
  chunks: readonly WantedChunk[],
  places: readonly (ChunkPlace | undefined)[],
  { into, signal }: { into: Buffer; signal: AbortSignal },
): Promise<WantedChunk[]> {
  const frames = framesOf(chunks, places);
  /** By their places in the buffer. */
  const read = new Set<number>();
  for (let at = 0; at < frames.length; at += framesMax) {
    signal.throwIfAborted();
    const reading = frames.slice(at, at + framesMax);
    await Promise.all(reading.map((frame) => readFrame(deps, frame, into, read)));
  }
  return chunks.filter(({ at }) => !read.has(at));
}

function framesOf(
  chunks: readonly WantedChunk[],
  places: readonly (ChunkPlace | undefined)[],
): PlacedChunk[][] {
  const frames = new Map<string, PlacedChunk[]>();
  for (const [i, { hash, bytes, at }] of chunks.entries()) {
    const place = places[i];
    if (place === undefined || bytes > sharedChunkBytesMax) continue;
    const key = `${place.pack}/${place.frameOffset}`;
    const frame = frames.get(key);
    if (frame === undefined) frames.set(key, [{ hash, bytes, at, place }]);
    else frame.push({ hash, bytes, at, place });
  }
  return [...frames.values()].filter(({ length }) => length >= wantedMin);
}

/** Adds to `read` the places of chunks that are in the frame where they were said to be. */
async function readFrame(
  { objects, compute }: ReadBatchDeps,
  wanted: readonly PlacedChunk[],
  into: Buffer,
  read: Set<number>,
): Promise<void> {
  const { pack, frameOffset, frameBytes } = wanted[0]!.place;
  try {
    const frame = await objects.read(packKey(pack), { start: frameOffset, length: frameBytes }, {});
    const plain = await compute.decode(frame);
    const inside = wanted.filter(({ place, bytes }) => place.offset + bytes <= plain.length);
    const ranges = inside.map(({ place: { offset }, bytes }) => ({
      start: offset,
      end: offset + bytes,
    }));
    const { buffer, hashes } = await compute.hash({ buffer: plain, ranges });
    for (const [i, chunk] of inside.entries()) {
      if (!hashes[i]!.equals(chunk.hash)) continue;
      buffer.copy(into, chunk.at, ranges[i]!.start, ranges[i]!.end);
      read.add(chunk.at);
    }
    freeMemory(buffer);
  } catch (error) {
    // One by one will say what is wrong, and look for another copy.
    if (!isCoded(error, "data_loss") && !isCoded(error, "not_found")) throw error;
  }
}
