import { CodedError, isCoded } from "../base/errors.ts";
import type { ObjectStore } from "../objectstore/index.ts";
import type { ChunkRow } from "../metadata/index.ts";
import type { ChunkIndex } from "./chunk-index.ts";
import type { Located } from "./chunk-look-ups.ts";
import type { Compute } from "./compute.ts";
import { freeMemory } from "./memory.ts";
import { packKey, sharedChunkBytesMax } from "./pack-format.ts";

/** A whole chunk, and where in a buffer it belongs. */
export interface WantedChunk {
  readonly hash: Buffer;
  readonly bytes: number;
  readonly at: number;
}

export interface ReadBatchDeps {
  readonly objects: ObjectStore;
  readonly compute: Compute;
  readonly index: ChunkIndex;
  /** Reads one chunk, whatever it takes. */
  readonly readChunk: (hash: Buffer, signal: AbortSignal, bytes: number) => Promise<Buffer>;
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
  const located = await deps.index.locateAll(chunks.map(({ hash }) => hash));
  const { frames, others } = framesOf(chunks, located);
  for (let at = 0; at < frames.length; at += framesMax) {
    signal.throwIfAborted();
    const reading = frames.slice(at, at + framesMax);
    const left = await Promise.all(reading.map((frame) => readFrame(deps, frame, into)));
    others.push(...left.flat());
  }
  for (let at = 0; at < others.length; at += chunksMax) {
    const reading = others.slice(at, at + chunksMax).map(async (wanted) => {
      const chunk = await deps.readChunk(wanted.hash, signal, wanted.bytes);
      chunk.copy(into, wanted.at);
    });
    await Promise.all(reading);
  }
}

interface PlacedChunk extends WantedChunk {
  readonly row: ChunkRow;
}

/** Frames with several wanted chunks, and the chunks that are elsewhere. */
function framesOf(
  chunks: readonly WantedChunk[],
  located: readonly (Located | undefined)[],
): { frames: PlacedChunk[][]; others: WantedChunk[] } {
  const byFrame = new Map<string, PlacedChunk[]>();
  const others: WantedChunk[] = [];
  for (const [i, chunk] of chunks.entries()) {
    const found = located[i];
    if (found?.kind !== "packed" || chunk.bytes > sharedChunkBytesMax) {
      others.push(chunk);
      continue;
    }
    const { row } = found;
    const key = `${row.pack}/${row.frameOffset}`;
    const frame = byFrame.get(key);
    const { hash, bytes, at } = chunk;
    if (frame === undefined) byFrame.set(key, [{ hash, bytes, at, row }]);
    else frame.push({ hash, bytes, at, row });
  }
  const frames: PlacedChunk[][] = [];
  for (const frame of byFrame.values()) {
    if (frame.length >= wantedMin) frames.push(frame);
    else others.push(...frame);
  }
  return { frames, others };
}

/** Gives back the chunks that are not in the frame as they should be. */
async function readFrame(
  { objects, compute }: ReadBatchDeps,
  wanted: readonly PlacedChunk[],
  into: Buffer,
): Promise<readonly WantedChunk[]> {
  const { pack, frameOffset, frameBytes } = wanted[0]!.row;
  try {
    const frame = await objects.read(packKey(pack), { start: frameOffset, length: frameBytes }, {});
    const plain = await compute.decode(frame);
    const ranges = wanted.map(({ row }) => ({ start: row.offset, end: row.offset + row.bytes }));
    const { buffer, hashes } = await compute.hash({ buffer: plain, ranges });
    const bad = wanted.filter(({ hash, bytes, at, row: { offset } }, i) => {
      const isRight = hashes[i]!.equals(hash) && ranges[i]!.end - offset === bytes;
      if (isRight) buffer.copy(into, at, offset, offset + bytes);
      return !isRight;
    });
    freeMemory(buffer);
    return bad;
  } catch (error) {
    // The one by one way says what is wrong, and looks for another copy.
    if (error instanceof CodedError && (isCoded(error, "data_loss") || isCoded(error, "not_found")))
      return wanted;
    throw error;
  }
}
