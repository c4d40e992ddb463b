import assert from "node:assert/strict";
import { test } from "node:test";
import { randomBelow, seededRandom } from "../base/random.ts";
import { MiB } from "../base/size.ts";
import { findGearCut, type Gear } from "./gear.ts";
import { openGearModule, scanGear } from "./scan-gear.ts";

type Scan = typeof findGearCut;

/** Where a scan stops, and with which hash, all through a text that comes in pieces. */
function stops(scan: Scan, text: Uint8Array, pieces: readonly number[]): number[][] {
  const gear: Gear = { hash: 7 };
  const found: number[][] = [];
  let from = 0;
  for (const to of [...pieces, text.length])
    while (from < to) {
      const at = scan(gear, text, from, to);
      found.push([at, gear.hash]);
      from = at < 0 ? to : at;
    }
  return found;
}

test("scanGear() stops where findGearCut() does, with its hash", () => {
  assert.notEqual(openGearModule(), "none", "it is not compared with itself");
  const random = seededRandom(5);
  const texts = [
    random.bytes(24 * MiB),
    Buffer.alloc(3 * MiB),
    Buffer.alloc(3 * MiB, 255),
    Buffer.alloc(0),
    random.bytes(1),
    // A view that does not begin where its memory does.
    random.bytes(2 * MiB).subarray(4_097),
  ];
  for (const text of texts) {
    const pieces = Array.from({ length: 40 }, () => randomBelow(random, text.length + 1));
    const sorted = pieces.toSorted((a, b) => a - b);
    assert.deepEqual(stops(scanGear, text, sorted), stops(findGearCut, text, sorted));
  }
  assert.ok(stops(scanGear, texts[0]!, []).length > 12);
});
