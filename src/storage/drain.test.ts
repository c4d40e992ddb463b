import assert from "node:assert/strict";
import { test } from "node:test";
import { isCoded } from "../base/errors.ts";
import { silentLog } from "../base/log.ts";
import { seededRandom } from "../base/random.ts";
import { KiB } from "../base/size.ts";
import {
  openStorageHarness,
  readContent,
  slicesOf,
  type StorageHarness,
} from "./testing/storage-harness.ts";
import type { Content } from "./tree/entry.ts";

const never = new AbortController().signal;

async function putInline(harness: StorageHarness, texts: readonly string[]): Promise<Content[]> {
  const ingest = harness.open("writer").openIngest();
  const contents = await Promise.all(
    texts.map((text) => ingest.putBytes(Buffer.from(text), "line")),
  );
  await ingest.nodes.put(Buffer.from(`node of ${texts.join()}`));
  const sealed = await ingest.seal();
  assert.equal(sealed.packs.length, 0, "few enough to stay inline");
  await harness.record(sealed);
  return contents;
}

async function inlineBytes(harness: StorageHarness): Promise<number> {
  const input = { owner: "nobody", leaseMs: 0, bytesMax: 1, olderThanMicros: 0 };
  return (await harness.metadata.call("takeInlineBatch", input)).totalBytes;
}

async function assertReads(
  harness: StorageHarness,
  contents: readonly Content[],
  texts: readonly string[],
): Promise<void> {
  const reader = harness.open("reader");
  for (const [i, content] of contents.entries()) {
    assert.equal((await readContent(reader, content)).toString(), texts[i]);
  }
}

const texts = Array.from({ length: 15 }, (_, i) => `file ${i}\n`.repeat(i * 100 + 1));

test("drainInline() leaves what is young and little, packs what is old", async () => {
  const harness = openStorageHarness();
  const contents = await putInline(harness, texts.slice(0, 5));
  const storage = harness.open("s1");
  assert.equal(await storage.drainInline(never), 0);
  assert.equal(await storage.drainInline(never, { force: true }), 6);
  assert.equal(await inlineBytes(harness), 0);
  await assertReads(harness, contents, texts);
  assert.deepEqual(await harness.metadata.call("listUnindexedPacks", { limit: 9 }), []);
  assert.equal(await storage.drainInline(never, { force: true }), 0);
});

test("drainInline() packs young chunks when they are many", async () => {
  const harness = openStorageHarness();
  const noise = seededRandom(3).bytes(200 * KiB);
  for (let i = 0; i < 90; i++) {
    const ingest = harness.open("writer").openIngest();
    noise.writeUInt32LE(i);
    await ingest.putContent(slicesOf(noise), "binary", never);
    await harness.record(await ingest.seal());
  }
  assert.ok((await harness.open("s1").drainInline(never)) > 0);
  assert.ok((await inlineBytes(harness)) < 16 * 1024 * KiB);
});

test("drainInline() loses nothing when it stops at any call, whoever goes on", async () => {
  for (let stopAt = 1; stopAt <= 4; stopAt++) {
    const harness = openStorageHarness();
    const contents = await putInline(harness, texts);
    let calls = 0;
    const killed = harness.open("killed", {
      beforeCall: () => {
        if (++calls === stopAt) throw new Error("the daemon was killed");
      },
    });
    await killed.drainInline(never, { force: true }).catch(() => undefined);
    await assertReads(harness, contents, texts);
    harness.passMs(120_000);
    await harness.open("s2").drainInline(never, { force: true });
    assert.equal(await inlineBytes(harness), 0, `stopped at call ${stopAt}`);
    await assertReads(harness, contents, texts);
  }
});

test("drainInline() gives way when another daemon has taken over", async () => {
  const harness = openStorageHarness();
  const contents = await putInline(harness, texts);
  const slow = harness.open("slow", {
    beforeCall: async (name) => {
      if (name !== "finishDrain") return;
      harness.passMs(120_000);
      await harness.open("s2").drainInline(never, { force: true });
    },
  });
  assert.equal(await slow.drainInline(never, { force: true }), 0);
  assert.equal(await inlineBytes(harness), 0);
  await assertReads(harness, contents, texts);
});

test("drainInline() keeps an inline copy whose other copy is in a lost pack, and packs it again", async () => {
  const harness = openStorageHarness();
  const contents = await putInline(harness, texts);
  const storage = harness.open("s1");
  await storage.drainInline(never, { force: true });
  for await (const { key } of harness.objects.list("packs/", {}))
    await harness.objects.remove(key, {});
  await assert.rejects(assertReads(harness, contents, texts));
  await putInline(harness, texts);
  await assertReads(harness, contents, texts);
  await harness.open("s2").drainInline(never, { force: true });
  assert.equal(await inlineBytes(harness), 0);
  await assertReads(harness, contents, texts);
});

test("drainInline() keeps an inline copy when the pack that has it too is lost during the drain", async () => {
  const harness = openStorageHarness();
  const contents = await putInline(harness, texts);
  await harness.open("s1").drainInline(never, { force: true });
  await putInline(harness, texts);
  let finishes = 0;
  const storage = harness.open("s2", {
    beforeCall: async (name) => {
      if (name !== "finishDrain" || ++finishes > 1) return;
      for await (const { key } of harness.objects.list("packs/", {})) {
        await harness.objects.remove(key, {});
        await harness.metadata.call("markPackLost", { pack: key.split("/").at(-1)! });
      }
    },
  });
  await storage.drainInline(never, { force: true });
  assert.equal(finishes, 2);
  assert.equal(await inlineBytes(harness), 0);
  await assertReads(harness, contents, texts);
});

test("drainInline() leaves a damaged chunk where it is, tells it once and packs all others", async () => {
  // The last is long enough to be compressed: its damage shows when it is decompressed.
  for (const wanted of [0, 14]) {
    const harness = openStorageHarness();
    const ingest = harness.open("writer").openIngest();
    const contents: Content[] = [];
    for (const text of texts) contents.push(await ingest.putBytes(Buffer.from(text), "line"));
    const sealed = await ingest.seal();
    const damage = (data: Buffer): Buffer => {
      const damaged = Buffer.from(data);
      damaged[damaged.length - 1]! ^= 1;
      return damaged;
    };
    const inline = sealed.inline.map((chunk, i) =>
      i === wanted ? { ...chunk, data: damage(chunk.data) } : chunk,
    );
    await harness.record({ ...sealed, inline });
    const told: string[] = [];
    const log = { ...silentLog, error: (_: object, message: string) => void told.push(message) };
    const storage = harness.open("s1", { log });
    for (const left of [texts.length - 1, 0])
      assert.equal(await storage.drainInline(never, { force: true }), left);
    assert.equal(told.length, 1);
    assert.match(told[0]!, /fsck/);
    assert.equal(await inlineBytes(harness), 0, "nothing is due");
    for (const [i, content] of contents.entries()) {
      const read = readContent(harness.open("reader"), content);
      if (i === wanted) await assert.rejects(read, (error) => isCoded(error, "data_loss"));
      else assert.equal((await read).toString(), texts[i]);
    }
    const packs = await harness.metadata.call("listPacks", { after: 0, limit: 9 });
    assert.ok(packs.length > 0 && packs.every(({ state }) => state === "live"));
    assert.deepEqual(await storage.verifying.verifyInline(never), [inline[wanted]!.hash]);
  }
});
