import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../base/random.ts";
import { GarbageBed } from "../testing/garbage-bed.ts";
import { isSparse, sweep, type SweptPack } from "./sweep.ts";

const never = new AbortController().signal;
const keepOn = async (): Promise<void> => undefined;

function packWith(counts: Partial<SweptPack>): SweptPack {
  const found = { foundChunks: 0, foundBytes: 0, liveChunks: 0, liveBytes: 0, chunks: 0 };
  const row = { number: 1, id: "p", class: "data", session: "s", bytes: 1, indexed: 1 } as const;
  return { ...row, state: "live", epoch: 0, ...found, ...counts };
}

test("isSparse() is true when less than half of the bytes are live", () => {
  const half = { chunks: 4, foundChunks: 4, foundBytes: 400, liveChunks: 1, liveBytes: 200 };
  assert.equal(isSparse(packWith(half)), false);
  assert.equal(isSparse(packWith({ ...half, liveBytes: 199 })), true);
});

test("isSparse() takes chunks that are found elsewhere for as long as the others", () => {
  const found = { foundChunks: 2, foundBytes: 200, liveChunks: 2, liveBytes: 200 };
  assert.equal(isSparse(packWith({ ...found, chunks: 4 })), false);
  assert.equal(isSparse(packWith({ ...found, chunks: 5 })), true);
});

test("sweep() counts what is found in each pack, and drops rows of packs that are gone when told to", async () => {
  const bed = new GarbageBed();
  const { storage, put } = await bed.open();
  const texts = Array.from({ length: 5 }, (_, i) => seededRandom(i).bytes(100 * (i + 1)));
  await put("some", texts);
  await storage.drainInline(never, { force: true });
  const { contents } = bed.kept.get("some")!;
  const hashes = contents.flatMap((content) => (content.kind === "pieces" ? content.pieces : []));
  const live = hashes[4]!.hash;
  const marks = { has: (hash: Buffer): boolean => hash.equals(live) };
  const deps = { metadata: bed.metadata, keepOn, signal: never };
  const [pack] = await sweep(marks, deps);
  assert.deepEqual(
    [pack!.foundChunks, pack!.foundBytes, pack!.liveChunks, pack!.liveBytes],
    [5, 1_500, 1, 500],
  );
  const token = "run";
  await bed.metadata.call("beginGarbageRun", { token });
  await bed.metadata.call("condemnPacks", { token, numbers: [pack!.number] });
  await sweep(marks, deps, { dropDangling: true });
  assert.equal((await bed.rows()).chunk_locations, 5, "condemned is not gone");
  await bed.metadata.call("deletePacks", {
    token,
    numbers: [pack!.number],
    state: "condemned",
    oldest: 0,
  });
  await sweep(marks, deps);
  assert.equal((await bed.rows()).chunk_locations, 5, "a dry run changes nothing");
  await sweep(marks, deps, { dropDangling: true });
  assert.equal((await bed.rows()).chunk_locations, 0);
});
