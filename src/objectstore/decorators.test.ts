import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, stat, truncate, writeFile } from "node:fs/promises";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { systemClock } from "../base/clock.ts";
import { CodedError, isCoded } from "../base/errors.ts";
import { nextTurn } from "../base/next-turn.ts";
import { seededRandom } from "../base/random.ts";
import { caching, limiting, openMemObjectStore, retrying, type ObjectStore } from "./index.ts";
import { objectStoreConformance } from "./testing/conformance.ts";

const instant = { ...systemClock(), sleep: async () => undefined };
const random = seededRandom(1);
const retryOptions = { clock: instant, random };

objectStoreConformance("retrying", async () => retrying(openMemObjectStore(), retryOptions));
objectStoreConformance("limiting", async () => limiting(openMemObjectStore(), 2));
objectStoreConformance("caching", async (t) => {
  return await caching(openMemObjectStore(), { folder: await newFolder(t), fs, bytesMax: 2 ** 20 });
});

async function newFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "mammoth-cache-"));
  t.after(async () => {
    await rm(folder, { recursive: true, force: true });
  });
  return folder;
}

async function put(store: ObjectStore, key: string, text: string): Promise<void> {
  const writer = await store.create(key, {});
  await writer.write([Buffer.from(text)]);
  await writer.seal();
}

/** Fails every read but one in `every`, and breaks a list off after as many objects. */
function failing(store: ObjectStore, every: number): ObjectStore & { calls: number } {
  const counted = {
    ...store,
    calls: 0,
    read: async (...call: Parameters<ObjectStore["read"]>) => {
      if (++counted.calls % every !== 0) throw new CodedError("unavailable", "not now");
      return await store.read(...call);
    },
    async *list(...call: Parameters<ObjectStore["list"]>) {
      for await (const found of store.list(...call)) {
        yield found;
        if (++counted.calls % every === 0) throw new CodedError("unavailable", "not now");
      }
    },
  };
  return counted;
}

describe("retrying()", () => {
  it("repeats what was unavailable, and goes on with a list where it broke off", async () => {
    const store = openMemObjectStore();
    for (const key of ["a", "b", "c", "d"]) await put(store, key, key);
    const flaky = retrying(failing(store, 5), retryOptions);
    assert.equal((await flaky.read("b", { start: 0, length: 9 }, {})).toString(), "b");
    const keys: string[] = [];
    for await (const { key } of flaky.list("", {})) keys.push(key);
    assert.deepEqual(keys, ["a", "b", "c", "d"]);
  });

  it("gives up after its tries, and at once where repeating is no use", async () => {
    const broken = failing(openMemObjectStore(), Infinity);
    const store = retrying(broken, { ...retryOptions, triesMax: 4 });
    await assert.rejects(store.read("a", { start: 0, length: 1 }, {}), (thrown) =>
      isCoded(thrown, "unavailable"),
    );
    assert.equal(broken.calls, 4);
    const absent = failing(openMemObjectStore(), 1);
    await assert.rejects(
      retrying(absent, retryOptions).read("a", { start: 0, length: 1 }, {}),
      (thrown) => isCoded(thrown, "not_found"),
    );
    assert.equal(absent.calls, 1);
  });
});

describe("limiting()", () => {
  it("lets no more calls in at a time", async () => {
    let inside = 0;
    let most = 0;
    const store = {
      ...openMemObjectStore(),
      stat: async (key: string) => {
        most = Math.max(most, ++inside);
        await new Promise((resolve) => setImmediate(resolve));
        inside--;
        return { key, bytes: 0 };
      },
    };
    const limited = limiting(store, 3);
    await Promise.all(Array.from({ length: 20 }, () => limited.stat("a", {})));
    assert.equal(most, 3);
  });
});

describe("caching()", () => {
  const whole = { start: 0, length: 100 };

  it("reads a range once, also after it was opened again", async (t) => {
    const counted = failing(openMemObjectStore(), 1);
    await put(counted, "a", "hello");
    const folder = await newFolder(t);
    for (let round = 0; round < 2; round++) {
      const store = await caching(counted, { folder, fs, bytesMax: 2 ** 20 });
      for (let i = 0; i < 3; i++)
        assert.equal((await store.read("a", whole, {})).toString(), "hello");
    }
    assert.equal(counted.calls, 1);
  });

  it("reads anew what was damaged, cut short or taken away", async (t) => {
    const counted = failing(openMemObjectStore(), 1);
    await put(counted, "a", "hello");
    const folder = await newFolder(t);
    const store = await caching(counted, { folder, fs, bytesMax: 2 ** 20 });
    const damages = [
      (path: string) => truncate(path, 3),
      (path: string) => writeFile(path, "something else"),
      (path: string) => rm(path),
    ];
    for (const [index, damage] of damages.entries()) {
      await store.read("a", whole, {});
      assert.equal(counted.calls, index + 1);
      await damage(join(folder, (await readdir(folder))[0]!));
      assert.equal((await store.read("a", whole, {})).toString(), "hello");
    }
  });

  it("stays below its bound and forgets what was used least lately", async (t) => {
    const counted = failing(openMemObjectStore(), 1);
    for (const key of ["a", "b", "c", "d"]) await put(counted, key, key.repeat(10_000));
    const folder = await newFolder(t);
    const store = await caching(counted, { folder, fs, bytesMax: 32_000 });
    const range = { start: 0, length: 10_000 };
    for (const key of ["a", "b", "c", "a", "d", "a"]) await store.read(key, range, {});
    assert.equal(counted.calls, 4, "a was used lately");
    await store.read("b", range, {});
    assert.equal(counted.calls, 5);
    let bytes = 0;
    for (const name of await readdir(folder)) bytes += (await stat(join(folder, name))).size;
    assert.ok(bytes <= 32_000);
  });

  it("opens without a look at its files, and takes what memory they need into its bound", async (t) => {
    const store = openMemObjectStore();
    await put(store, "a", "x".repeat(100));
    const folder = await newFolder(t);
    const stat = async (): Promise<never> => assert.fail("a file was looked at");
    const blind = { ...fs, stat: stat as unknown as typeof fs.stat };
    const first = await caching(store, { folder, fs, bytesMax: 2 ** 20 });
    for (let start = 0; start < 50; start++) await first.read("a", { start, length: 1 }, {});
    await writeFile(join(folder, "draft-7"), "left behind");
    // 4 KiB and 512 bytes for each, however short.
    const second = await caching(store, { folder, fs: blind, bytesMax: 10 * 4_608 });
    await second.read("a", { start: 90, length: 1 }, {});
    // What is too much goes in the background.
    for (let i = 0; i < 1_000 && (await readdir(folder)).length > 10; i++) await nextTurn();
    assert.equal((await readdir(folder)).length, 10);
  });

  it("forgets the ranges of an object that is removed, and of no other", async (t) => {
    const counted = failing(openMemObjectStore(), 1);
    for (const key of ["a", "b"]) await put(counted, key, "hello");
    const folder = await newFolder(t);
    const options = { folder, fs, bytesMax: 2 ** 20 };
    for (const key of ["a", "b"])
      for (const length of [1, 2, 3])
        await (await caching(counted, options)).read(key, { start: 0, length }, {});
    const store = await caching(counted, options);
    await store.remove("a", {});
    assert.equal((await readdir(folder)).length, 3);
    const calls = counted.calls;
    for (const length of [1, 2, 3]) await store.read("b", { start: 0, length }, {});
    assert.equal(counted.calls, calls);
    await assert.rejects(store.read("a", { start: 0, length: 1 }, {}));
  });

  it("keeps no failure", async (t) => {
    const memory = openMemObjectStore();
    const store = await caching(memory, { folder: await newFolder(t), fs, bytesMax: 2 ** 20 });
    await assert.rejects(store.read("a", whole, {}), (thrown) => isCoded(thrown, "not_found"));
    await put(memory, "a", "now");
    assert.equal((await store.read("a", whole, {})).toString(), "now");
  });
});
