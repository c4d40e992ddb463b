import assert from "node:assert/strict";
import { test } from "node:test";
import { isCoded } from "../base/errors.ts";
import { seededRandom } from "../base/random.ts";
import { KiB, MiB } from "../base/size.ts";
import { openPoolCompute } from "./compute-pool.ts";
import type { Storage } from "./open-storage.ts";
import type { WantedChunk } from "./read-batch.ts";
import { openStorageHarness, readContent, type StorageHarness } from "./testing/storage-harness.ts";
import type { Content } from "./tree/entry.ts";

const noise = seededRandom(1).bytes(8 * MiB);
const never = new AbortController().signal;

/** Files of these sizes put as one batch; their bytes are those of `noise` from `from` on. */
async function putBatch(
  ingest: ReturnType<Storage["openIngest"]>,
  sizes: readonly number[],
  from = 0,
): Promise<Content[]> {
  const bytes = sizes.reduce((a, b) => a + b, 0);
  // With room behind, as a batch that was not filled has.
  const buffer = Buffer.allocUnsafeSlow(bytes + 100);
  noise.copy(buffer, 0, from, from + bytes);
  return await ingest.putBatch(buffer, sizes);
}

function wantedOf(contents: readonly Content[]): { wanted: WantedChunk[]; bytes: number } {
  const wanted: WantedChunk[] = [];
  let at = 0;
  for (const content of contents) {
    assert.equal(content.kind, "pieces");
    if (content.kind !== "pieces") continue;
    for (const { hash, bytes } of content.pieces) {
      wanted.push({ hash, bytes, at });
      at += bytes;
    }
  }
  return { wanted, bytes: at };
}

async function readTogether(storage: Storage, contents: readonly Content[]): Promise<Buffer> {
  const { wanted, bytes } = wantedOf(contents);
  const into = Buffer.alloc(bytes);
  await storage.readChunks(wanted, into, never);
  return into;
}

const pool = openPoolCompute();
test.after(() => pool.close());

const shapes = [
  ["nothing", []],
  ["empty files", [0, 0]],
  ["few small files, which stay inline", [1, 0, 5_000, 3]],
  ["many small files", Array.from({ length: 900 }, (_, i) => (i * 37) % 2_000)],
  ["files of the largest size", Array.from({ length: 9 }, () => 128 * KiB)],
  ["files as frames divide", Array.from({ length: 300 }, () => 4 * KiB)],
] as const;

for (const [what, sizes] of shapes) {
  test(`putBatch() and readChunks() keep ${what}`, async () => {
    for (const compute of [undefined, pool]) {
      const harness = openStorageHarness();
      const options = compute === undefined ? {} : { compute };
      const storage = harness.open("s1", options);
      const ingest = storage.openIngest();
      const contents = await putBatch(ingest, sizes);
      const sealed = await ingest.seal();
      ingest.end();
      await harness.record(sealed);
      const bytes = sizes.reduce<number>((a, b) => a + b, 0);
      assert.equal(sealed.packs.length > 0, bytes > 256 * KiB);
      // Before and after its packs are indexed, and by another session.
      for (const reader of [storage, harness.open("s2", options)]) {
        assert.ok((await readTogether(reader, contents)).equals(noise.subarray(0, bytes)));
        await reader.indexPending(never);
      }
      let at = 0;
      for (const [i, content] of contents.entries()) {
        assert.equal(content.bytes, sizes[i]);
        const part = noise.subarray(at, at + content.bytes);
        assert.ok((await readContent(storage, content)).equals(part), `file ${i}`);
        at += content.bytes;
      }
    }
  });
}

test("putBatch() stores no chunk twice, of this batch, this request or what was there", async () => {
  const harness = openStorageHarness();
  const storage = harness.open("s1");
  const sizes = Array.from({ length: 200 }, () => 3 * KiB);
  const first = storage.openIngest();
  await putBatch(first, sizes);
  const { packs } = await first.seal();
  await harness.record({ epoch: 0, packs, kept: [], inline: [] });
  await storage.indexPending(never);
  const second = storage.openIngest();
  // Half of it known, all of it three times, the last time with one that is new.
  const from = 300 * KiB;
  const contents = await Promise.all([
    putBatch(second, sizes, from),
    putBatch(second, sizes, from),
    putBatch(second, [...sizes, 5], from),
  ]);
  const sealed = await second.seal();
  assert.deepEqual(
    sealed.kept,
    packs.map(({ id }) => id),
  );
  assert.equal(
    sealed.packs.reduce((sum, pack) => sum + pack.chunks, 0),
    101,
  );
  await harness.record(sealed);
  for (const batch of contents) {
    const expected = noise.subarray(from, from + batch.reduce((sum, { bytes }) => sum + bytes, 0));
    assert.ok((await readTogether(storage, batch)).equals(expected));
  }
});

/** A store with one pack of many small files, to be read by a session that did not write them. */
async function withPack(): Promise<{ harness: StorageHarness; contents: Content[]; key: string }> {
  const harness = openStorageHarness();
  const storage = harness.open("s1");
  const ingest = storage.openIngest();
  const contents = await putBatch(
    ingest,
    Array.from({ length: 100 }, () => 4 * KiB),
  );
  const sealed = await ingest.seal();
  await harness.record(sealed);
  await storage.indexPending(never);
  for await (const { key } of harness.objects.list("packs/", {})) return { harness, contents, key };
  throw new Error("there is no pack");
}

test("readChunks() says which chunk is damaged, and reads those that are not", async () => {
  const { harness, contents, key } = await withPack();
  const { bytes } = await harness.objects.stat(key, {});
  const pack = Buffer.from(await harness.objects.read(key, { start: 0, length: bytes }, {}));
  pack[1_000]! ^= 1;
  await harness.objects.remove(key, {});
  const writer = await harness.objects.create(key, {});
  await writer.write([pack]);
  await writer.seal();
  const reader = harness.open("s2");
  await assert.rejects(readTogether(reader, contents), (error) => isCoded(error, "data_loss"));
  // The second frame is whole.
  const whole = contents.slice(64);
  assert.ok((await readTogether(reader, whole)).equals(noise.subarray(256 * KiB, 400 * KiB)));
});

test("readChunks() refuses a chunk of another length than its file says", async () => {
  const { harness, contents } = await withPack();
  const { wanted, bytes } = wantedOf(contents);
  const wrong = wanted.map((chunk, i) => (i === 5 ? { ...chunk, bytes: 5 } : chunk));
  const reading = harness.open("s2").readChunks(wrong, Buffer.alloc(bytes), never);
  await assert.rejects(reading, (error) => isCoded(error, "data_loss"));
});
