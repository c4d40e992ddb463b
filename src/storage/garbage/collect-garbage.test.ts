// Goal: what is referred to is never lost, what is not goes, and nothing stays behind for ever; whatever
// else goes on. Method: storage over objects and a database in memory, rows for what puts and commits refer
// to, and daemons that are opened and left at will. Every order of calls: interleavings.test.ts; crashes at
// every call and random histories: src/pfs/collect-garbage.test.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CodedError, isCoded } from "../../base/errors.ts";
import { seededRandom } from "../../base/random.ts";
import { KiB } from "../../base/size.ts";
import { GarbageBed } from "../testing/garbage-bed.ts";
import { slicesOf } from "../testing/storage-harness.ts";
import { emptyTree } from "../tree/entry.ts";
import { encodeTreeRef } from "../tree/tree-ref-format.ts";

const never = new AbortController().signal;

/** So many texts that do not fit into the metadata together, each like no other. */
function large(seed: number, count = 4): Buffer[] {
  return Array.from({ length: count }, (_, i) => seededRandom(seed * 100 + i).bytes(100 * KiB));
}

const small = (seed: number): Buffer[] => [seededRandom(seed).bytes(100)];

async function bytesStored(bed: GarbageBed): Promise<number> {
  return (await bed.packs()).reduce((sum, { bytes }) => sum + bytes, 0);
}

test("collectGarbage() leaves nothing behind when nothing is referred to", async () => {
  const bed = new GarbageBed();
  const { storage, put } = await bed.open();
  await put("large", large(1));
  await put("small", small(2));
  await storage.drainInline(never, { force: true });
  await put("inline", small(3));
  const key = Buffer.alloc(32);
  await bed.metadata.call("keepBlockIds", { ids: [{ key, id: "of a block that was" }] });
  await bed.assertReads();
  await storage.close();
  await bed.assertEmptied();
});

test("collectGarbage() frees what its dry run said, per repo, which changed nothing", async () => {
  const bed = new GarbageBed();
  const { storage, put } = await bed.open();
  const both = large(1);
  await put("kept", both);
  await put("dropped", [...both.slice(0, 2), ...large(2), ...small(3)]);
  await put("gone", large(4));
  await storage.indexPending(never);
  for (const name of ["dropped", "gone"]) await bed.drop(name);
  const before = { rows: await bed.rows(), packs: await bed.packs() };
  const plan = await storage.collectGarbage({ isDryRun: true }, never);
  assert.deepEqual({ rows: await bed.rows(), packs: await bed.packs() }, before);
  assert.deepEqual(plan.repos, [
    { repo: "dropped", bytes: 400 * KiB + 100 },
    { repo: "gone", bytes: 400 * KiB },
  ]);
  const report = await bed.collect();
  assert.deepEqual({ ...report, isDryRun: true }, plan);
  assert.equal(await bytesStored(bed), report.keptBytes);
  assert.equal(
    before.packs.reduce((sum, { bytes }) => sum + bytes, 0),
    report.keptBytes + report.removedBytes,
  );
  await bed.assertReads();
  assert.deepEqual((await bed.collect()).repos, [], "the trash is told once");
});

test("collectGarbage() knows in a dry run what was put just now", async () => {
  const bed = new GarbageBed();
  const { storage, put } = await bed.open();
  await put("dropped", large(1));
  await put("kept", large(2));
  await bed.drop("dropped");
  const plan = await storage.collectGarbage({ isDryRun: true }, never);
  assert.equal(plan.removedPacks, 1);
  assert.deepEqual({ ...(await bed.collect()), isDryRun: true }, plan);
});

test("collectGarbage() counts what two deleted repos shared once, and what a kept one has not at all", async () => {
  const bed = new GarbageBed();
  const { storage, put } = await bed.open();
  const shared = large(1);
  await put("first", shared);
  await put("second", shared);
  await storage.indexPending(never);
  await bed.drop("second");
  const repos = async (): Promise<readonly { repo: string; bytes: number }[]> =>
    (await storage.collectGarbage({ isDryRun: true }, never)).repos;
  assert.deepEqual(await repos(), [{ repo: "second", bytes: 0 }]);
  await bed.drop("first");
  assert.equal(
    (await repos()).reduce((sum, { bytes }) => sum + bytes, 0),
    400 * KiB,
  );
});

test("collectGarbage() copies what is live out of a pack of which less than half is", async () => {
  const bed = new GarbageBed();
  const { storage, put } = await bed.open();
  const texts = large(1, 10);
  await put("all", texts);
  await put("some", texts.slice(0, 4));
  await put("most", large(2, 10));
  await put("half", large(2, 6));
  await storage.indexPending(never);
  await bed.drop("all");
  await bed.drop("most");
  const before = await bytesStored(bed);
  const report = await bed.collect();
  assert.equal(
    report.rewrittenPacks,
    1,
    "the one of which 4 of 10 live, not that of which 6 of 10 do",
  );
  assert.equal(report.removedPacks, 0);
  assert.equal(await bytesStored(bed), report.keptBytes);
  assert.ok(before - report.keptBytes > 500 * KiB && before - report.keptBytes < 610 * KiB);
  await bed.assertReads();
  const again = await bed.collect();
  assert.deepEqual([again.rewrittenPacks, again.removedPacks], [0, 0]);
  await bed.assertEmptied();
});

test("collectGarbage() judges a pack by bytes, not by the number of chunks", async () => {
  const bed = new GarbageBed();
  const { storage, put } = await bed.open();
  const few = large(1, 4);
  const many = Array.from({ length: 40 }, (_, i) => seededRandom(900 + i).bytes(100));
  await put("all", [...few, ...many]);
  await put("many", [...many, ...large(7)]);
  await put("few", [...few, ...large(8)]);
  await storage.indexPending(never);
  await bed.drop("all");
  await bed.drop("many");
  assert.equal((await bed.collect()).rewrittenPacks, 0, "nearly all bytes are live");
  await storage.rejoin();
  await put("many again", [...many, ...large(9)]);
  await storage.indexPending(never);
  await bed.drop("few");
  await bed.collect();
  assert.ok((await bytesStored(bed)) < 500 * KiB, "forty small chunks keep no large ones");
  await bed.assertReads();
});

test("collectGarbage() removes objects that were never recorded", async () => {
  const bed = new GarbageBed();
  const { storage, put } = await bed.open();
  await put("kept", large(1));
  const unrecorded = storage.openIngest();
  for (const text of large(2)) await unrecorded.putBytes(text, "binary");
  await unrecorded.seal();
  unrecorded.end();
  assert.equal((await bed.packs()).length, 2);
  assert.equal((await storage.collectGarbage({ isDryRun: true }, never)).removedPacks, 1);
  assert.equal((await bed.collect()).removedPacks, 1);
  assert.equal((await bed.packs()).length, 1);
  await bed.assertReads();
});

test("a put does not rely on a pack sealed before a collection and never recorded, whatever was forgotten", async () => {
  for (let runs = 0; runs <= 3; runs++) {
    for (const isRenewed of [false, true]) {
      const bed = new GarbageBed();
      const { storage, put } = await bed.open();
      const lost = storage.openIngest();
      for (const text of large(1)) await lost.putBytes(text, "binary");
      await lost.seal();
      lost.end();
      for (let run = 0; run < runs; run++) {
        await bed.collect();
        if (isRenewed) await storage.renewSession({ address: "", release: "" });
      }
      const isRefused = await put("again", large(1)).then(
        () => false,
        (error: unknown) => {
          assert.ok(isCoded(error, "aborted"), String(error));
          return true;
        },
      );
      assert.equal(isRefused, runs > 0 && !isRenewed);
      if (isRefused) await storage.renewSession({ address: "", release: "" });
      if (isRefused) await put("again", large(1));
      await bed.assertReads();
      await storage.close();
      await bed.assertEmptied();
    }
  }
});

test("collectGarbage() gives up what the oldest upload can not rely on, however many younger ones go on", async () => {
  const bed = new GarbageBed();
  const { storage, put } = await bed.open();
  await put("dropped", large(1));
  await storage.indexPending(never);
  await bed.drop("dropped");
  const first = storage.openIngest();
  const kept = await storage.collectGarbage({ isDryRun: false }, never);
  assert.equal(kept.removedPacks, 0);
  assert.ok(kept.keptBackBytes > 400 * KiB);
  // From here on there is always an upload on its way that began before the run.
  const second = storage.openIngest();
  first.end();
  const report = await storage.collectGarbage({ isDryRun: false }, never);
  assert.equal(report.removedPacks, 1);
  assert.equal(report.keptBackBytes, 0);
  second.end();
  await storage.close();
  await bed.assertEmptied();
});

test("collectGarbage() does not wait for a daemon that is not heard of", async () => {
  const bed = new GarbageBed();
  const { storage, put } = await bed.open();
  await put("dropped", large(1));
  await storage.indexPending(never);
  await bed.drop("dropped");
  storage.openIngest();
  assert.equal((await bed.collect()).removedPacks, 1);
  await bed.assertReads();
});

test("collectGarbage() refuses to run twice at the same time, and goes on where one broke off", async () => {
  const bed = new GarbageBed();
  const { storage, put } = await bed.open();
  await put("dropped", large(1));
  await bed.drop("dropped");
  const { storage: dying } = await bed.open({
    before: async ({ key }) => {
      if (key === "raiseEpoch") throw new CodedError("unavailable", "the daemon is dead");
    },
  });
  await assert.rejects(dying.collectGarbage({ isDryRun: false }, never));
  assert.equal((await bed.packs()).length, 1, "condemned, and still there");
  const runs = await Promise.allSettled([
    storage.collectGarbage({ isDryRun: false }, never),
    storage.collectGarbage({ isDryRun: false }, never),
  ]);
  const [refused] = runs.filter(({ status }) => status === "rejected");
  assert.ok(refused?.status === "rejected" && isCoded(refused.reason, "failed_precondition"));
  assert.deepEqual(await bed.packs(), []);
});

test("collectGarbage() ends with its signal, and the next run with all", async () => {
  const bed = new GarbageBed();
  const { put, storage } = await bed.open();
  await put("dropped", large(1));
  await put("kept", large(2));
  await bed.drop("dropped");
  const stop = new AbortController();
  const { storage: stopped } = await bed.open({
    before: async ({ key }) => {
      if (key === "listLocations") stop.abort();
    },
  });
  await assert.rejects(stopped.collectGarbage({ isDryRun: false }, stop.signal));
  await storage.collectGarbage({ isDryRun: false }, never);
  await bed.assertReads();
  assert.equal((await bed.packs()).length, 1);
});

test("collectGarbage() removes a lost pack once nothing is found in it any more", async () => {
  const bed = new GarbageBed();
  const { storage, put } = await bed.open();
  await put("kept", large(1));
  await storage.indexPending(never);
  const [pack] = await bed.metadata.call("listPacks", { after: 0, limit: 1 });
  await bed.metadata.call("markPackLost", { pack: pack!.id });
  await bed.collect();
  assert.equal((await bed.packs()).length, 1, "what can be read of it is needed");
  await put("again", large(1));
  await storage.indexPending(never);
  assert.equal((await bed.packs()).length, 2);
  assert.equal((await bed.collect()).removedPacks, 1);
  assert.ok((await bed.packs()).every(({ key }) => !key.endsWith(pack!.id)));
  await bed.assertReads();
  await storage.close();
  await bed.assertEmptied();
});

test("collectGarbage() takes nothing for garbage when a node cannot be read", async () => {
  const bed = new GarbageBed();
  const { storage, put } = await bed.open();
  await put("dropped", large(1));
  const ingest = storage.openIngest();
  const bytes = seededRandom(5).bytes(2 * 1024 * KiB);
  await ingest.putContent(slicesOf(bytes), "binary", never);
  const address = await ingest.nodes.put(Buffer.from("no node"));
  const sealed = await ingest.seal();
  const root = encodeTreeRef({ ...emptyTree, address, count: 1, digest: Buffer.alloc(32, 1) });
  await bed.calls.keepTrees({ roots: [root], sealed });
  ingest.end();
  await bed.drop("dropped");
  const before = await bed.packs();
  await assert.rejects(bed.collect(), (error) => isCoded(error, "data_loss"));
  assert.deepEqual(await bed.packs(), before);
});
