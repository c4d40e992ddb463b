import { KiB } from "../base/size.ts";
import type { Located } from "./chunk-look-ups.ts";
import { sharedChunkBytesMax } from "./pack-format.ts";

/** Where a chunk may be: proven by its hash alone. */
export interface ChunkPlace {
  readonly pack: string;
  readonly frameOffset: number;
  readonly frameBytes: number;
  /** In the plain frame. */
  readonly offset: number;
}

/** One chunk in so many, or in so many bytes, is looked up. */
const chunksMax = 16;
const bytesMax = 64 * KiB;

/** The chunks to look up, as indexes: from their places those of the others are guessed. */
export function chunksToLookUp(chunks: readonly { readonly bytes: number }[]): number[] {
  const wanted: number[] = [];
  let bytes = 0;
  for (const [i, chunk] of chunks.entries()) {
    const last = wanted.at(-1);
    bytes += chunk.bytes;
    if (last !== undefined && i - last < chunksMax && bytes < bytesMax) continue;
    wanted.push(i);
    bytes = 0;
  }
  return wanted;
}

/**
 * Where chunks are if those that follow one another here do so in their frames too, as they do when they were put
 * in this order. Undefined where there is no telling.
 *
 * @param lookedUp indexes of chunks, ascending, and where these are
 */
export function guessPlaces(
  chunks: readonly { readonly bytes: number }[],
  lookedUp: readonly number[],
  located: readonly (Located | undefined)[],
): (ChunkPlace | undefined)[] {
  const places: (ChunkPlace | undefined)[] = [];
  for (const [i, index] of lookedUp.entries()) {
    const place = placeOf(located[i]);
    places[index] = place;
    const next = lookedUp[i + 1] ?? chunks.length;
    if (place === undefined) continue;
    let offset = place.offset + chunks[index]!.bytes;
    for (let k = index + 1; k < next; k++) {
      places[k] = { ...place, offset };
      offset += chunks[k]!.bytes;
    }
  }
  // What can stand before one that was looked up in its frame does so, rather than at the end of the frame before.
  for (const [i, index] of lookedUp.entries()) {
    const place = placeOf(located[i]);
    let offset = place?.offset ?? 0;
    for (let k = index - 1; k > (lookedUp[i - 1] ?? -1); k--) {
      offset -= chunks[k]!.bytes;
      if (place === undefined || offset < 0) break;
      places[k] = { ...place, offset };
    }
  }
  places.length = chunks.length;
  return places;
}

function placeOf(located: Located | undefined): ChunkPlace | undefined {
  if (located?.kind !== "packed" || located.row.bytes > sharedChunkBytesMax) return undefined;
  const { pack, frameOffset, frameBytes, offset } = located.row;
  return { pack, frameOffset, frameBytes, offset };
}
