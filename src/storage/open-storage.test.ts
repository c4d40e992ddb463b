import assert from "node:assert/strict";
import { after, test } from "node:test";
import { CodedError, isCoded } from "../base/errors.ts";
import { seededRandom } from "../base/random.ts";
import { KiB, MiB } from "../base/size.ts";
import { openPoolCompute } from "./compute-pool.ts";
import { openStorageHarness, readContent, slicesOf } from "./testing/storage-harness.ts";
import type { PieceRange } from "./pack-reader.ts";
import type { Content } from "./tree/entry.ts";
import { piecesOf } from "./tree/pieces-of.ts";

const never = new AbortController().signal;
const pool = openPoolCompute();
after(() => pool.close());

const noise = seededRandom(5).bytes(12 * MiB);
const prose = Buffer.from(noise);
for (let i = 0; i < prose.length; i++) prose[i] = i % 23 === 0 ? 0x0a : 0x61 + (prose[i]! & 7);

async function objectCount(harness: ReturnType<typeof openStorageHarness>): Promise<number> {
  let count = 0;
  for await (const _ of harness.objects.list("packs/", {})) count++;
  return count;
}

function hashesOf(content: Content): string[] {
  assert.equal(content.kind, "pieces");
  return content.kind === "pieces" ? content.pieces.map(({ hash }) => hash.toString("hex")) : [];
}

test("Storage keeps a small request inline and reads it back", async () => {
  const harness = openStorageHarness();
  const storage = harness.open("s1");
  const ingest = storage.openIngest();
  const text = Buffer.alloc(50 * KiB, "apple\t1\n");
  const contents = [
    await ingest.putBytes(Buffer.from("one\n"), "line"),
    await ingest.putContent(slicesOf(text), "line", never),
    await ingest.putBytes(Buffer.from("one\n"), "line"),
    await ingest.putBytes(Buffer.alloc(0), "line"),
  ];
  const node = Buffer.from("a tree node");
  const address = await ingest.nodes.put(node);
  assert.ok((await storage.nodes.get(address)).equals(node), "before the seal");
  const sealed = await ingest.seal();
  assert.equal(sealed.packs.length, 0);
  assert.deepEqual(
    sealed.inline.map(({ class: packClass, codec }) => [packClass, codec]),
    [
      ["data", 0],
      ["data", 1],
      ["node", 0],
    ],
  );
  await harness.record(sealed);
  assert.equal(await objectCount(harness), 0);
  const reader = harness.open("s2");
  assert.equal((await readContent(reader, contents[0]!)).toString(), "one\n");
  assert.ok((await readContent(reader, contents[1]!)).equals(text));
  assert.deepEqual(contents[3], { kind: "pieces", pieces: [], bytes: 0 });
  assert.ok((await reader.nodes.get(address)).equals(node));
});

test("Storage packs a large request, finds it again, reads any range of it", async () => {
  for (const source of [noise, prose]) {
    const harness = openStorageHarness();
    const storage = harness.open("s1", { compute: pool });
    const ingest = storage.openIngest();
    const content = await ingest.putContent(slicesOf(source), "line", never);
    const address = await ingest.nodes.put(Buffer.from("node"));
    const sealed = await ingest.seal();
    assert.equal(content.bytes, source.length);
    assert.equal(sealed.inline.length, 0);
    assert.deepEqual(sealed.packs.map((pack) => pack.class).toSorted(), ["data", "node"]);
    await harness.record(sealed);

    const again = storage.openIngest();
    assert.deepEqual(await again.putContent(slicesOf(source, 100_001), "line", never), content);
    assert.deepEqual(
      (await again.seal()).packs,
      sealed.packs.filter((pack) => pack.class === "data"),
    );

    const other = harness.open("s2", { compute: pool });
    assert.ok((await readContent(other, content)).equals(source));
    for (const [start, end] of [
      [0, 1],
      [3 * MiB - 1, 9 * MiB + 5],
      [source.length - 1, source.length],
    ] as const) {
      assert.ok(
        (await readContent(other, content, { start, end })).equals(source.subarray(start, end)),
      );
    }
    assert.equal((await other.nodes.get(address)).toString(), "node");
    const fromIndex = other.openIngest();
    await fromIndex.putContent(slicesOf(source), "line", never);
    const { kept, ...fresh } = await fromIndex.seal();
    assert.deepEqual(fresh, { epoch: 0, packs: [], inline: [] });
    assert.equal(kept.length, 1);
    assert.equal(await objectCount(harness), 2);
    await storage.close();
  }
});

test("Storage spills what it held when a request grows", async () => {
  const harness = openStorageHarness();
  const storage = harness.open("s1");
  const ingest = storage.openIngest();
  const parts = Array.from({ length: 5 }, (_, i) =>
    noise.subarray(i * 60 * KiB, (i + 1) * 60 * KiB),
  );
  const contents = await Promise.all(parts.map((part) => ingest.putBytes(part, "binary")));
  const early = await ingest.nodes.put(Buffer.from("early node"));
  const sealed = await ingest.seal();
  assert.equal(sealed.inline.length, 0);
  assert.equal(
    sealed.packs.reduce((sum, pack) => sum + pack.chunks, 0),
    6,
  );
  await harness.record(sealed);
  for (const [i, content] of contents.entries())
    assert.ok((await readContent(storage, content)).equals(parts[i]!));
  assert.equal((await harness.open("s2").nodes.get(early)).toString(), "early node");
});

test("Storage batches many small files", async () => {
  const harness = openStorageHarness();
  const storage = harness.open("s1");
  const ingest = storage.openIngest();
  const contents: Content[] = [];
  for (let i = 0; i < 3_000; i++) {
    const bytes = Buffer.from(noise.subarray(i * 4 * KiB, (i + 1) * 4 * KiB));
    contents.push(await ingest.putBytes(bytes, "line"));
  }
  const sealed = await ingest.seal();
  assert.ok(harness.calls.get("findChunks")! <= 60, `${harness.calls.get("findChunks")} look-ups`);
  assert.equal(
    sealed.packs.reduce((sum, pack) => sum + pack.chunks, 0),
    3_000,
  );
  await harness.record(sealed);
  for (const i of [0, 63, 64, 2_999]) {
    assert.ok(
      (await readContent(storage, contents[i]!)).equals(
        noise.subarray(i * 4 * KiB, (i + 1) * 4 * KiB),
      ),
    );
  }
});

test("Storage names a pack another request writes at the same time, once written", async () => {
  const harness = openStorageHarness();
  const storage = harness.open("s1");
  const source = noise.subarray(0, 3 * MiB);
  const sealed = await Promise.all(
    [1, 2, 3].map(async () => {
      const ingest = storage.openIngest();
      await ingest.putContent(slicesOf(source), "binary", never);
      return await ingest.seal();
    }),
  );
  const ids = new Set(sealed.flatMap(({ packs }) => packs.map(({ id }) => id)));
  assert.equal(await objectCount(harness), ids.size);
  assert.ok(sealed.every(({ packs }) => packs.length > 0));
  const chunks = [...ids].map(
    (id) => sealed.flatMap(({ packs }) => packs).find((pack) => pack.id === id)!.chunks,
  );
  const distinct = new Set(
    hashesOf(await storage.openIngest().putContent(slicesOf(source), "binary", never)),
  );
  assert.equal(
    chunks.reduce((sum, count) => sum + count, 0),
    distinct.size,
  );
});

test("Storage reads packs not yet indexed and indexes them in slices", async () => {
  const harness = openStorageHarness();
  const storage = harness.open("s1");
  const ingest = storage.openIngest();
  const contents: Content[] = [];
  for (let i = 0; i < 2_500; i++)
    contents.push(await ingest.putBytes(Buffer.alloc(200, `file ${i} `), "line"));
  await harness.record(await ingest.seal());
  const other = harness.open("s2");
  assert.equal(
    (await readContent(other, contents[7]!)).toString(),
    Buffer.alloc(200, "file 7 ").toString(),
  );
  assert.equal(harness.calls.get("indexPackSlice"), 3);
  await storage.indexPending(never);
  assert.equal(harness.calls.get("indexPackSlice"), 3);
  assert.deepEqual(await harness.metadata.call("listUnindexedPacks", { limit: 10 }), []);
  assert.equal((await readContent(storage, contents[9]!)).length, 200);
});

test("Storage answers a missing or damaged chunk with data_loss that names it", async () => {
  const harness = openStorageHarness();
  const storage = harness.open("s1");
  const ingest = storage.openIngest();
  const content = await ingest.putContent(slicesOf(noise.subarray(0, 3 * MiB)), "binary", never);
  const sealed = await ingest.seal();
  const hash = hashesOf(content)[0]!;
  const isLost = (error: unknown): boolean =>
    isCoded(error, "data_loss") && error.message.includes(hash);
  await assert.rejects(readContent(harness.open("s2"), content), isLost, "not recorded");
  await harness.record(sealed);
  const key = `packs/${sealed.packs[0]!.id.slice(0, 2)}/${sealed.packs[0]!.id}`;
  const pack = await harness.objects.read(key, { start: 0, length: 64 * MiB }, {});
  pack[1000]! ^= 1;
  const writer = await harness.objects.create(key, {});
  await writer.write([pack]);
  await writer.seal();
  await assert.rejects(readContent(harness.open("s3"), content), isLost, "damaged");
  await harness.objects.remove(key, {});
  await assert.rejects(readContent(harness.open("s4"), content), isLost, "removed");
});

test("Storage gives the source's own error back and takes no harm from it", async () => {
  const harness = openStorageHarness();
  const storage = harness.open("s1", { compute: pool });
  const failing = async function* (): AsyncGenerator<Buffer> {
    yield* slicesOf(noise.subarray(0, 9 * MiB));
    throw new Error("the client went away");
  };
  const ingest = storage.openIngest();
  await assert.rejects(ingest.putContent(failing(), "line", never), /the client went away/);
  ingest.end();
  const next = storage.openIngest();
  const content = await next.putContent(slicesOf(noise), "line", never);
  await harness.record(await next.seal());
  assert.ok((await readContent(storage, content)).equals(noise));
});

test("Storage stops a put whose source hangs when the signal fires", async () => {
  const storage = openStorageHarness().open("s1");
  const hanging = async function* (): AsyncGenerator<Buffer> {
    yield Buffer.from("first\n");
    await new Promise(() => undefined);
  };
  const stop = new AbortController();
  const put = storage.openIngest().putContent(hanging(), "line", stop.signal);
  setTimeout(() => stop.abort(), 10);
  await assert.rejects(put, { name: "AbortError" });
});

const packKeys = async (harness: ReturnType<typeof openStorageHarness>): Promise<string[]> => {
  const keys: string[] = [];
  for await (const { key } of harness.objects.list("packs/", {})) keys.push(key);
  return keys;
};

async function damage(harness: ReturnType<typeof openStorageHarness>, key: string): Promise<void> {
  const pack = await harness.objects.read(key, { start: 0, length: 64 * MiB }, {});
  pack[1000]! ^= 1;
  const writer = await harness.objects.create(key, {});
  await writer.write([pack]);
  await writer.seal();
}

test("Storage heals a missing or damaged pack when the same bytes are put again", async () => {
  const source = noise.subarray(0, 3 * MiB);
  for (const how of ["removed", "damaged"] as const) {
    for (const isSameSession of [true, false]) {
      const harness = openStorageHarness();
      const storage = harness.open("s1");
      const put = async (by: typeof storage): Promise<Content> => {
        const ingest = by.openIngest();
        const content = await ingest.putContent(slicesOf(source), "binary", never);
        await harness.record(await ingest.seal());
        return content;
      };
      const content = await put(storage);
      if (!isSameSession) await storage.indexPending(never);
      for (const key of await packKeys(harness)) {
        if (how === "removed") await harness.objects.remove(key, {});
        else await damage(harness, key);
      }
      const next = isSameSession ? storage : harness.open("s2");
      await assert.rejects(readContent(next, content), (error) => isCoded(error, "data_loss"), how);
      assert.deepEqual(await put(next), content);
      assert.ok((await readContent(next, content)).equals(source), how);
      await next.indexPending(never);
      assert.ok((await readContent(harness.open("s3"), content)).equals(source), how);
    }
  }
});

test("Storage reads on what is whole of a damaged pack, and all of one that comes back", async () => {
  const harness = openStorageHarness();
  const storage = harness.open("s1");
  const ingest = storage.openIngest();
  const parts = [noise.subarray(0, 3 * MiB), noise.subarray(3 * MiB, 6 * MiB)];
  const contents: Content[] = [];
  for (const part of parts) contents.push(await ingest.putContent(slicesOf(part), "binary", never));
  await harness.record(await ingest.seal());
  await storage.indexPending(never);
  const [key] = await packKeys(harness);
  await damage(harness, key!);
  const reader = harness.open("s2");
  await assert.rejects(readContent(reader, contents[0]!), (error) => isCoded(error, "data_loss"));
  assert.ok((await readContent(reader, contents[1]!)).equals(parts[1]!));
  await damage(harness, key!);
  assert.ok((await readContent(harness.open("s3"), contents[0]!)).equals(parts[0]!), "restored");
});

test("Storage does not take a pack for lost when it cannot be read just now", async () => {
  const harness = openStorageHarness();
  const storage = harness.open("s1");
  const ingest = storage.openIngest();
  const content = await ingest.putContent(slicesOf(noise.subarray(0, 3 * MiB)), "binary", never);
  await harness.record(await ingest.seal());
  await storage.indexPending(never);
  const read = async (): Promise<never> => {
    throw new CodedError("unavailable", "The disk does not answer. Try again");
  };
  const objects = Object.assign(Object.create(harness.objects) as typeof harness.objects, { read });
  await assert.rejects(readContent(harness.open("s2", { objects }), content), (error) =>
    isCoded(error, "unavailable"),
  );
  assert.equal(harness.calls.get("markPackLost"), undefined);
});

test("Storage refuses to record a pack that was lost meanwhile", async () => {
  const harness = openStorageHarness();
  const storage = harness.open("s1");
  const put = async (): ReturnType<ReturnType<typeof storage.openIngest>["seal"]> => {
    const ingest = storage.openIngest();
    await ingest.putContent(slicesOf(noise.subarray(0, 3 * MiB)), "binary", never);
    return await ingest.seal();
  };
  const sealed = await put();
  await harness.record(sealed);
  const again = await put();
  assert.deepEqual(again, sealed);
  await harness.metadata.call("markPackLost", { pack: sealed.packs[0]!.id });
  await assert.rejects(harness.record(again), (error) => isCoded(error, "aborted"));
});

test("freePiece() gives back a large chunk read for one, and leaves alone what others may look into", async () => {
  const harness = openStorageHarness();
  const storage = harness.open("s1");
  const ingest = storage.openIngest();
  const large = await ingest.putContent(slicesOf(noise), "line", never);
  const small = await ingest.putBytes(prose.subarray(0, 10 * KiB), "line");
  await harness.record(await ingest.seal());
  for (const [content, isFreed] of [
    [large, true],
    [small, false],
  ] as const) {
    const pieces = piecesOf(content, { start: 0, end: content.bytes }, storage.nodes);
    const ranges = async function* (): AsyncGenerator<PieceRange> {
      for await (const { piece } of pieces) yield { ...piece, start: 0, end: piece.bytes };
    };
    for await (const part of storage.readPieces(ranges(), never)) {
      storage.freePiece(part);
      assert.equal(part.length === 0, isFreed);
      // Twice is as good as once.
      storage.freePiece(part);
    }
    assert.equal((await readContent(storage, content)).length, content.bytes);
  }
});

test("putContent() ends a block with the stream, where its last chunk had to end too", async () => {
  const harness = openStorageHarness();
  const ingest = harness.open("s1").openIngest();
  for (const length of [8 * MiB, 8 * MiB + 1, 16 * MiB, 2 * MiB]) {
    const content = await ingest.putContent(slicesOf(Buffer.alloc(length)), "binary", never);
    assert.ok(content.kind === "pieces");
    const ends = content.pieces.flatMap(({ blockEnds }) => blockEnds);
    assert.deepEqual(ends, [content.pieces.at(-1)?.bytes]);
  }
});
