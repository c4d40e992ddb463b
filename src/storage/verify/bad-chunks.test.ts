import assert from "node:assert/strict";
import { test } from "node:test";
import { sha256 } from "../../base/hash.ts";
import { BadChunks } from "./bad-chunks.ts";

const hashes = Array.from({ length: 9 }, (_, i) => sha256(Buffer.from([i])));

test("BadChunks knows which chunks of a pack are lost, and takes all when there are too many", () => {
  const bad = new BadChunks(4);
  assert.ok(bad.isEmpty);
  bad.addPack("a", hashes.slice(0, 3));
  bad.addPack("b", hashes.slice(0, 2));
  bad.addPack("c", hashes.slice(3, 4));
  bad.addPack("whole", []);
  const lostIn = (pack: string): (boolean | undefined)[] =>
    hashes.slice(2, 5).map((hash) => bad.isLostIn(pack, hash));
  assert.deepEqual(lostIn("a"), [true, false, false]);
  assert.deepEqual(lostIn("b"), [true, true, true], "five are more than four");
  assert.deepEqual(lostIn("c"), [false, true, false]);
  assert.deepEqual(lostIn("whole"), [false, false, false]);
  assert.deepEqual(lostIn("not looked at"), [undefined, undefined, undefined]);
  assert.ok(!bad.isLostInline(hashes[0]!));
});
