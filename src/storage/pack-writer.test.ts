import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../base/clock.ts";
import { isCoded } from "../base/errors.ts";
import { sha256 } from "../base/hash.ts";
import { silentLog } from "../base/log.ts";
import { seededRandom } from "../base/random.ts";
import { KiB, MiB } from "../base/size.ts";
import { openMemObjectStore, type ObjectStore, type ObjectWriter } from "../objectstore/index.ts";
import { openInlineCompute } from "./compute.ts";
import { packKey } from "./pack-format.ts";
import { decodePack } from "./testing/decode-pack.ts";
import type { PackFrame } from "./pack-frame.ts";
import { PackWriter } from "./pack-writer.ts";
import { SessionChunks } from "./session-chunks.ts";

const noise = seededRandom(9).bytes(5 * MiB);

/** Objects on a disk that can be full. */
function onDisk(): { objects: ObjectStore; disk: { fullAt: "write" | "seal" | undefined } } {
  const objects = openMemObjectStore();
  const disk: { fullAt: "write" | "seal" | undefined } = { fullAt: undefined };
  const check = (at: "write" | "seal"): void => {
    if (disk.fullAt === at) throw Object.assign(new Error("no space left"), { code: "ENOSPC" });
  };
  const create: ObjectStore["create"] = async (key, options): Promise<ObjectWriter> => {
    const writer = await objects.create(key, options);
    return {
      write: async (bytes) => {
        check("write");
        await writer.write(bytes);
      },
      seal: async () => {
        check("seal");
        await writer.seal();
      },
      abort: () => writer.abort(),
    };
  };
  return { objects: { ...objects, create }, disk };
}

function openWriter(objects: ObjectStore): { writer: PackWriter; chunks: SessionChunks } {
  const chunks = new SessionChunks();
  const deps = {
    objects,
    chunks,
    compute: openInlineCompute(),
    clock: systemClock(),
    random: seededRandom(1),
    log: silentLog,
    session: { id: "s1", epoch: 0 },
  };
  return { writer: new PackWriter("data", deps), chunks };
}

async function put(writer: PackWriter, bytes: Buffer): Promise<PackFrame> {
  const { frame, isTaken } = writer.put(sha256(bytes), bytes);
  await isTaken;
  return frame;
}

test("PackWriter puts small chunks into shared frames and large ones into their own", async () => {
  const { objects } = onDisk();
  const { writer, chunks } = openWriter(objects);
  const small = Array.from({ length: 10 }, (_, i) =>
    noise.subarray(i * 60 * KiB, (i + 1) * 60 * KiB),
  );
  const frames = await Promise.all(
    [...small, noise.subarray(0, 3 * MiB)].map((bytes) => put(writer, bytes)),
  );
  assert.equal(new Set(frames).size, 4);
  const packs = await writer.sealed(frames);
  assert.equal(new Set(packs).size, 1);
  const bytes = await objects.read(
    packKey(packs[0]!.id),
    { start: 0, length: packs[0]!.bytes + 1 },
    {},
  );
  assert.equal(bytes.length, packs[0]!.bytes);
  const { rows } = decodePack(packs[0]!.id, bytes);
  assert.deepEqual(
    rows.toSorted((a, b) => a.hash.compare(b.hash)),
    chunks.rowsOfPack(packs[0]!.id)!.toSorted((a, b) => a.hash.compare(b.hash)),
  );
  assert.equal(rows.length, 11);
});

test("PackWriter lets those who wait at the same time share a pack", async () => {
  const { writer } = openWriter(onDisk().objects);
  const ids = await Promise.all(
    Array.from({ length: 8 }, async (_, i) => {
      const frame = await put(writer, noise.subarray(i * 200 * KiB, (i + 1) * 200 * KiB));
      const [pack] = await writer.sealed([frame]);
      return pack!.id;
    }),
  );
  assert.equal(new Set(ids).size, 1);
});

test("PackWriter seals a full pack by itself and keeps within 64 MiB", async () => {
  const { writer } = openWriter(onDisk().objects);
  const frames: PackFrame[] = [];
  for (let i = 0; i < 34; i++) {
    const chunk = Buffer.from(noise.subarray(0, 2 * MiB));
    chunk.writeUInt32LE(i);
    frames.push(await put(writer, chunk));
  }
  const first = await frames[0]!.sealed;
  assert.ok(first.bytes <= 64 * MiB && first.bytes > 61 * MiB);
  const packs = await writer.sealed(frames);
  assert.equal(new Set(packs.map(({ id }) => id)).size, 2);
});

test("PackWriter seals for who waits though others keep writing", async () => {
  const { writer } = openWriter(onDisk().objects);
  const frame = await put(writer, noise.subarray(0, 200 * KiB));
  let isSealed = false;
  const sealed = writer.sealed([frame]).then(() => {
    isSealed = true;
  });
  for (let i = 0; !isSealed; i++) {
    assert.ok(i < 400, "a pack waited for is never sealed");
    const chunk = Buffer.from(noise.subarray(0, 130 * KiB));
    chunk.writeUInt32LE(i);
    await put(writer, chunk);
    await systemClock().sleep(1);
  }
  await sealed;
});

for (const fullAt of ["write", "seal"] as const) {
  test(`PackWriter fails all who wait for a pack when the disk is full at ${fullAt}, and goes on with the next`, async () => {
    const { objects, disk } = onDisk();
    const { writer, chunks } = openWriter(objects);
    const frames = [
      await put(writer, noise.subarray(0, 200 * KiB)),
      await put(writer, Buffer.from("small")),
    ];
    disk.fullAt = fullAt;
    const isFull = (error: unknown): boolean => isCoded(error, "resource_exhausted");
    const failed = frames.map((frame) => writer.sealed([frame]));
    if (fullAt === "write") await assert.rejects(put(writer, noise.subarray(0, 300 * KiB)), isFull);
    for (const waiter of failed) await assert.rejects(waiter, isFull);
    assert.equal(chunks.frameOf(sha256(Buffer.from("small"))), undefined);
    disk.fullAt = undefined;
    const frame = await put(writer, Buffer.from("small"));
    const [pack] = await writer.sealed([frame]);
    assert.equal(pack!.chunks, 1);
    const keys: string[] = [];
    for await (const { key } of objects.list("", {})) keys.push(key);
    assert.deepEqual(keys, [packKey(pack!.id)]);
  });
}

test("PackWriter leaves no object when closed with an open pack", async () => {
  const { objects } = onDisk();
  const { writer } = openWriter(objects);
  const frame = await put(writer, noise.subarray(0, 200 * KiB));
  await writer.close();
  await assert.rejects(frame.sealed, (error) => isCoded(error, "unavailable"));
  for await (const { key } of objects.list("", {})) assert.fail(key);
});

test("PackWriter bounds the chunks of a pack", async () => {
  const { writer } = openWriter(onDisk().objects);
  const frames = new Set<PackFrame>();
  const chunk = Buffer.alloc(16);
  for (let i = 0; i < 80_000; i++) {
    chunk.writeUInt32LE(i);
    frames.add(await put(writer, chunk));
  }
  const packs = new Set(await writer.sealed([...frames]));
  assert.ok([...packs].every(({ chunks }) => chunks <= 65_536));
  assert.equal(packs.size, 2);
});

test("PackWriter gives up a pack when all who held its frames let go, and only then", async () => {
  const { objects } = onDisk();
  const { writer, chunks } = openWriter(objects);
  const [first, second] = [
    await put(writer, noise.subarray(0, 2 * MiB)),
    await put(writer, noise.subarray(2 * MiB, 4 * MiB)),
  ];
  first.hold();
  first.hold();
  second.hold();
  writer.letGo([first, second]);
  const third = await put(writer, noise.subarray(4 * MiB));
  third.hold();
  await writer.sealed([first]);
  assert.equal(first.place?.pack.id, third.place?.pack.id, "one held it still");
  const fourth = await put(writer, noise.subarray(0, 1 * MiB));
  fourth.hold();
  writer.letGo([fourth]);
  await assert.rejects(fourth.sealed, (error) => isCoded(error, "aborted"));
  assert.equal(chunks.frameOf(sha256(noise.subarray(0, 1 * MiB))), undefined);
  const again = await put(writer, noise.subarray(0, 1 * MiB));
  assert.equal((await writer.sealed([again])).length, 1);
});
