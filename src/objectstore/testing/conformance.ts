import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { CodedError, isCoded, type ErrorCode } from "../../base/errors.ts";
import { seededRandom } from "../../base/random.ts";
import { MiB } from "../../base/size.ts";
import type { ObjectStore } from "../object-store.ts";

/** Registers the tests that every object store passes. `open` gives an empty store, which the suite closes. */
export function objectStoreConformance(
  name: string,
  openEmpty: (t: TestContext) => Promise<ObjectStore>,
): void {
  const open: Open = async (t) => {
    const store = await openEmpty(t);
    t.after(async () => {
      await store.close();
    });
    return store;
  };
  describe(`${name} object store`, () => {
    describeWriting(open);
    describeReading(open);
    describeListing(open);
    describeRefusals(open);
  });
}

type Open = (t: TestContext) => Promise<ObjectStore>;

function describeWriting(open: Open): void {
  it("create() shows the object only once it is sealed", async (t) => {
    const store = await open(t);
    const writer = await store.create("packs/ab/one", {});
    await writer.write([Buffer.from("hello, "), Buffer.from(""), Buffer.from("world")]);
    await rejectsWith("not_found", store.read("packs/ab/one", { start: 0, length: 5 }, {}));
    await rejectsWith("not_found", store.stat("packs/ab/one", {}));
    assert.deepEqual(await keysOf(store, ""), []);
    await writer.seal();
    assert.equal(await textOf(store, "packs/ab/one"), "hello, world");
    assert.deepEqual(await store.stat("packs/ab/one", {}), { key: "packs/ab/one", bytes: 12 });
  });

  it("create() takes an object without bytes", async (t) => {
    const store = await open(t);
    await put(store, "empty", "");
    assert.deepEqual(await store.stat("empty", {}), { key: "empty", bytes: 0 });
    assert.equal(await textOf(store, "empty"), "");
  });

  it("write() lets the caller reuse its buffers", async (t) => {
    const store = await open(t);
    const writer = await store.create("reused", {});
    const buffer = Buffer.from("first");
    await writer.write([buffer]);
    buffer.write("other");
    await writer.write([buffer]);
    buffer.fill(0);
    await writer.seal();
    assert.equal(await textOf(store, "reused"), "firstother");
  });

  it("write() takes more buffers than a system call does", async (t) => {
    const store = await open(t);
    const parts = Array.from({ length: 5_000 }, (_, i) => Buffer.from(`${i};`));
    const writer = await store.create("many", {});
    await writer.write(parts);
    await writer.seal();
    assert.equal(await textOf(store, "many"), Buffer.concat(parts).toString());
  });

  it("seal() keeps a big object whole", async (t) => {
    const store = await open(t);
    const piece = seededRandom(7).bytes(1 * MiB);
    const writer = await store.create("big", {});
    for (let i = 0; i < 70; i++) await writer.write([piece.subarray(0, i), piece.subarray(i)]);
    await writer.seal();
    assert.deepEqual(await store.stat("big", {}), { key: "big", bytes: 70 * MiB });
    for (let i = 0; i < 70; i++) {
      const read = await store.read("big", { start: i * MiB, length: 1 * MiB }, {});
      assert.ok(read.equals(piece), `MiB ${i} differs`);
    }
  });

  it("abort() leaves nothing, twice and after nothing was written", async (t) => {
    const store = await open(t);
    const written = await store.create("aborted/a", {});
    await written.write([Buffer.from("bytes")]);
    await written.abort();
    await written.abort();
    await (await store.create("aborted/b", {})).abort();
    assert.deepEqual(await keysOf(store, ""), []);
  });

  it("abort() after seal() leaves the object", async (t) => {
    const store = await open(t);
    const writer = await store.create("sealed", {});
    await writer.write([Buffer.from("kept")]);
    await writer.seal();
    await writer.abort();
    assert.equal(await textOf(store, "sealed"), "kept");
  });

  it("create() of one key by many at once ends with one of them, whole", async (t) => {
    const store = await open(t);
    const texts = Array.from({ length: 8 }, (_, i) => String(i).repeat(1_000 + i));
    await Promise.all(texts.map(async (text) => await put(store, "raced/key", text)));
    assert.ok(texts.includes(await textOf(store, "raced/key")));
    await put(store, "raced/key", "again");
    assert.ok([...texts, "again"].includes(await textOf(store, "raced/key")));
    assert.deepEqual(await keysOf(store, ""), ["raced/key"]);
  });

  it("create() in new folders by many at once loses none", async (t) => {
    const store = await open(t);
    const keys = Array.from(
      { length: 20 },
      (_, i) => `deep/${i % 3}/x/${String(i).padStart(2, "0")}`,
    );
    await Promise.all(keys.map(async (key) => await put(store, key, key)));
    assert.deepEqual(await keysOf(store, ""), keys.toSorted());
  });
}

function describeReading(open: Open): void {
  it("read() gives the range, shorter where the object ends", async (t) => {
    const store = await open(t);
    await put(store, "digits", "0123456789");
    const read = async (start: number, length: number): Promise<string> =>
      (await store.read("digits", { start, length }, {})).toString();
    assert.equal(await read(0, 10), "0123456789");
    assert.equal(await read(3, 4), "3456");
    assert.equal(await read(8, 100), "89");
    assert.equal(await read(10, 5), "");
    assert.equal(await read(1_000, 5), "");
    assert.equal(await read(4, 0), "");
  });

  it("read() gives a buffer that belongs to the caller", async (t) => {
    const store = await open(t);
    await put(store, "owned", "constant");
    (await store.read("owned", { start: 0, length: 8 }, {})).fill(0);
    const mine = await store.read("owned", { start: 0, length: 8 }, {});
    assert.equal(mine.toString(), "constant");
    structuredClone(mine, { transfer: [mine.buffer as ArrayBuffer] });
    assert.equal(await textOf(store, "owned"), "constant");
  });

  it("read() of many objects at once mixes nothing up", async (t) => {
    const store = await open(t);
    const keys = Array.from({ length: 150 }, (_, i) => `mixed/${i}`);
    for (const key of keys) await put(store, key, `content of ${key}`);
    const texts = await Promise.all(
      [...keys, ...keys].map(async (key) => await textOf(store, key)),
    );
    assert.deepEqual(
      texts,
      [...keys, ...keys].map((key) => `content of ${key}`),
    );
  });

  it("read() and stat() of what is not there are refused", async (t) => {
    const store = await open(t);
    await put(store, "folder/file", "x");
    for (const key of ["nothing", "folder", "folder/file2", "folder/file/below"]) {
      await rejectsWith("not_found", store.read(key, { start: 0, length: 1 }, {}));
      await rejectsWith("not_found", store.stat(key, {}));
    }
  });
}

function describeListing(open: Open): void {
  it("list() gives keys in byte order, those with the prefix", async (t) => {
    const store = await open(t);
    const keys = ["a-b/1", "a.b", "a/b", "a/b.c", "a/b0", "a0", "aB", "a_", "ab/c/d", "b", "Z/1"];
    for (const key of keys) await put(store, key, key);
    assert.deepEqual(await keysOf(store, ""), keys.toSorted());
    for (const prefix of ["a", "a/", "a/b", "a/b.", "ab/c/d", "ab/", "b", "c", "Z", "a-"]) {
      const expected = keys.toSorted().filter((key) => key.startsWith(prefix));
      assert.deepEqual(await keysOf(store, prefix), expected, `prefix "${prefix}"`);
    }
    for await (const { key, bytes } of store.list("", {})) assert.equal(bytes, key.length);
  });

  it("list() goes on while objects are removed", async (t) => {
    const store = await open(t);
    for (let i = 0; i < 30; i++) await put(store, `swept/${String(i).padStart(2, "0")}`, "x");
    let seen = 0;
    for await (const { key } of store.list("swept/", {})) {
      seen++;
      await store.remove(key, {});
    }
    assert.equal(seen, 30);
    assert.deepEqual(await keysOf(store, ""), []);
  });

  it("remove() takes an object away, also one just read, and may be repeated", async (t) => {
    const store = await open(t);
    await put(store, "folder/gone", "x");
    assert.equal(await textOf(store, "folder/gone"), "x");
    await store.remove("folder/gone", {});
    await rejectsWith("not_found", store.read("folder/gone", { start: 0, length: 1 }, {}));
    await store.remove("folder/gone", {});
    await store.remove("never/there", {});
    await store.remove("folder", {});
    await put(store, "folder/gone", "back");
    assert.equal(await textOf(store, "folder/gone"), "back");
  });
}

function describeRefusals(open: Open): void {
  it("every call refuses what is no key", async (t) => {
    const store = await open(t);
    const long = "k".repeat(256);
    for (const key of [
      "",
      "/",
      "/a",
      "a/",
      "a//b",
      "..",
      "a/../b",
      "./a",
      "a b",
      "é",
      "a\n",
      "a\0",
      "a\\b",
      long,
    ]) {
      await rejectsWith("invalid_argument", store.create(key, {}));
      await rejectsWith("invalid_argument", store.read(key, { start: 0, length: 1 }, {}));
      await rejectsWith("invalid_argument", store.stat(key, {}));
      await rejectsWith("invalid_argument", store.remove(key, {}));
    }
    await put(store, "k".repeat(255), "longest");
    await put(store, "a..b/...", "dots");
  });

  it("every call honours its signal", async (t) => {
    const store = await open(t);
    await put(store, "there", "x");
    const signal = AbortSignal.abort();
    await rejectsWith("cancelled", store.create("new", { signal }));
    await rejectsWith("cancelled", store.read("there", { start: 0, length: 1 }, { signal }));
    await rejectsWith("cancelled", store.stat("there", { signal }));
    await rejectsWith("cancelled", store.remove("there", { signal }));
    await rejectsWith("cancelled", keysOf(store, "", signal));
    const reason = new CodedError("deadline_exceeded", "Too late");
    await rejectsWith(
      "deadline_exceeded",
      store.stat("there", { signal: AbortSignal.abort(reason) }),
    );
    assert.deepEqual(await keysOf(store, ""), ["there"]);
  });

  it("a writer honours the signal it was created with", async (t) => {
    const store = await open(t);
    const stop = new AbortController();
    const writer = await store.create("stopped", { signal: stop.signal });
    await writer.write([Buffer.from("x")]);
    stop.abort();
    await rejectsWith("cancelled", writer.write([Buffer.from("y")]));
    await rejectsWith("cancelled", writer.seal());
    await writer.abort();
    assert.deepEqual(await keysOf(store, ""), []);
  });
}

/** Writes one object. */
export async function put(store: ObjectStore, key: string, text: string): Promise<void> {
  const writer = await store.create(key, {});
  try {
    await writer.write([Buffer.from(text)]);
    await writer.seal();
  } finally {
    await writer.abort();
  }
}

/** All of a small object. */
export async function textOf(store: ObjectStore, key: string): Promise<string> {
  return (await store.read(key, { start: 0, length: 1 * MiB }, {})).toString();
}

/** The keys of a listing. */
export async function keysOf(
  store: ObjectStore,
  prefix: string,
  signal?: AbortSignal,
): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix, signal === undefined ? {} : { signal }))
    keys.push(key);
  return keys;
}

async function rejectsWith(code: ErrorCode, call: Promise<unknown>): Promise<void> {
  await assert.rejects(call, (thrown) => {
    assert.ok(isCoded(thrown, code), `expected ${code}, not ${String(thrown)}`);
    return true;
  });
}
