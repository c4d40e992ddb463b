import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { KiB } from "../base/size.ts";
import type { Located } from "./chunk-look-ups.ts";
import { chunksToLookUp, guessPlaces, type ChunkPlace } from "./guess-places.ts";

const frameBytesMax = 256 * KiB;

/** Chunks in frames that were filled one after the other. */
function placed(sizes: readonly number[]): ChunkPlace[] {
  const places: ChunkPlace[] = [];
  let frameOffset = 8;
  let offset = 0;
  for (const bytes of sizes) {
    if (offset + bytes > frameBytesMax) {
      frameOffset += offset;
      offset = 0;
    }
    places.push({ pack: "p", frameOffset, frameBytes: frameBytesMax, offset });
    offset += bytes;
  }
  return places;
}

function found(place: ChunkPlace, bytes: number): Located {
  return { kind: "packed", row: { ...place, bytes, hash: Buffer.alloc(32) } };
}

test("guessPlaces() is right about chunks that were put in this order", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 16 * KiB }), { maxLength: 400 }), (sizes) => {
      const chunks = sizes.map((bytes) => ({ bytes }));
      const places = placed(sizes);
      const first = chunksToLookUp(chunks);
      const located = first.map((i) => found(places[i]!, sizes[i]!));
      const guessed = guessPlaces(chunks, first, located);
      // Behind the last that was looked up a frame may have ended.
      const told = (first.at(-1) ?? -1) + 1;
      assert.deepEqual(guessed.slice(0, told), places.slice(0, told));
      assert.equal(guessed.length, sizes.length);
    }),
  );
});

test("guessPlaces() knows nothing around a chunk that is not in a pack", () => {
  const chunks = Array.from({ length: 40 }, () => ({ bytes: 100 }));
  const first = chunksToLookUp(chunks);
  assert.deepEqual(first, [0, 16, 32]);
  const at = found({ pack: "p", frameOffset: 8, frameBytes: 9, offset: 250 }, 100);
  const guessed = guessPlaces(chunks, first, [undefined, at, undefined]);
  assert.deepEqual(
    guessed.flatMap((place, i) => (place === undefined ? [] : [i])),
    [14, 15, ...Array.from({ length: 16 }, (_, i) => 16 + i)],
  );
});
