import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { sha256 } from "../base/hash.ts";
import { PackFrame } from "./pack-frame.ts";
import { SessionChunks } from "./session-chunks.ts";

/** Seals a pack of one chunk; gives back the chunk's hash. */
function sealPack(chunks: SessionChunks, id: string): Buffer {
  const hash = sha256(Buffer.from(id));
  const frame = new PackFrame("node");
  chunks.add(frame, hash, 1);
  const pack = { id, class: "node", session: "s", epoch: 0, bytes: 1, chunks: 1 } as const;
  frame.settleAt({ pack, offset: 0, bytes: 1 });
  chunks.keepSealed(id, [frame]);
  return hash;
}

suite("SessionChunks", () => {
  test("keepSealed() forgets the oldest packs when there are many", () => {
    const chunks = new SessionChunks(() => 0, 2);
    const [first, second, third] = ["a", "b", "c"].map((id) => sealPack(chunks, id));
    assert.equal(chunks.rowOf(first!), undefined);
    assert.equal(chunks.rowOf(second!)?.pack, "b");
    assert.equal(chunks.rowOf(third!)?.pack, "c");
  });

  test("keepSealed() forgets no pack that is pinned, until all have let go of it", () => {
    const chunks = new SessionChunks(() => 0, 2);
    const first = sealPack(chunks, "a");
    const unpins = [chunks.pin("a"), chunks.pin("a")];
    const second = sealPack(chunks, "b");
    sealPack(chunks, "c");
    assert.equal(chunks.rowOf(first)?.pack, "a");
    assert.equal(chunks.rowOf(second), undefined);
    unpins[0]!();
    sealPack(chunks, "d");
    assert.equal(chunks.rowOf(first)?.pack, "a");
    unpins[1]!();
    sealPack(chunks, "e");
    assert.equal(chunks.rowOf(first), undefined);
  });
});
