import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { after, before, beforeEach, describe, it } from "node:test";
import fc from "fast-check";
import { isCoded } from "../base/errors.ts";
import { openFileCache, type FileCache } from "./file-cache.ts";

const never = new AbortController().signal;

describe("openFileCache()", () => {
  let home: string;
  let dir: string;
  let fetched: string[];
  let count = 0;
  before(async () => (home = await fs.mkdtemp(`${tmpdir()}/mammoth-filecache-`)));
  after(async () => await fs.rm(home, { recursive: true, force: true }));
  beforeEach(() => {
    dir = `${home}/${++count}`;
    fetched = [];
  });
  const open = async (
    bytesMax = 1_000,
    bootId: string | undefined = "boot 1",
  ): Promise<FileCache> => await openFileCache({ fs, dir, bytesMax, bootId });
  const contentOf = (digest: string, bytes: number): Buffer => Buffer.alloc(bytes, digest);
  const source = (digest: string, bytes: number) =>
    async function* (): AsyncGenerator<Uint8Array> {
      fetched.push(digest);
      await new Promise(setImmediate);
      yield contentOf(digest, bytes);
    };
  const use = async (
    cache: FileCache,
    digest: string,
    bytes: number,
    signal = never,
  ): ReturnType<FileCache["use"]> =>
    await cache.use({ digest, bytes }, source(digest, bytes), signal);

  it("fetches a file once however many ask at a time", async () => {
    const cache = await open();
    const held = await Promise.all(
      Array.from({ length: 9 }, async () => await use(cache, "aa", 10)),
    );
    assert.deepEqual(fetched, ["aa"]);
    assert.equal(new Set(held.map(({ path }) => path)).size, 1);
    assert.deepEqual(await fs.readFile(held[0]!.path), contentOf("aa", 10));
    assert.equal((await fs.stat(held[0]!.path)).mode & 0o777, 0o444);
  });
  it("evicts the least recently used that is not in use", async () => {
    const cache = await open(30);
    const a = await use(cache, "aa", 10);
    (await use(cache, "bb", 10)).release();
    (await use(cache, "cc", 10)).release();
    (await use(cache, "bb", 10)).release();
    (await use(cache, "dd", 10)).release();
    assert.deepEqual(await names(dir), ["aa-10", "bb-10", "dd-10"]);
    (await use(cache, "ee", 30)).release();
    assert.deepEqual(await names(dir), ["aa-10", "ee-30"]);
    a.release();
  });
  it("survives a restart and drops what is half written", async () => {
    (await use(await open(), "aa", 10)).release();
    await fs.writeFile(`${dir}/bb-10`, "short");
    await fs.writeFile(`${dir}/incoming/7`, "x");
    const cache = await open();
    assert.deepEqual(await names(dir), ["aa-10"]);
    await use(cache, "aa", 10);
    assert.deepEqual(fetched, ["aa"]);
  });
  it("keeps what a killed process left, but nothing of it once the machine has started anew", async () => {
    (await use(await open(1_000, "boot 1"), "aa", 10)).release();
    await open(1_000, "boot 1");
    assert.deepEqual(await names(dir), ["aa-10"]);
    const cache = await open(1_000, "boot 2");
    assert.deepEqual(await names(dir), []);
    (await use(cache, "aa", 10)).release();
    assert.deepEqual(fetched, ["aa", "aa"]);
  });
  it("keeps all after close(), until it is used without one", async () => {
    const cache = await open(1_000, "boot 1");
    (await use(cache, "aa", 10)).release();
    await cache.close(never);
    await (await open(1_000, "boot 2")).close(never);
    assert.deepEqual(await names(dir), ["aa-10"]);
    await open(1_000, "boot 3");
    await open(1_000, "boot 4");
    assert.deepEqual(await names(dir), []);
  });
  it("keeps nothing without close() where boots cannot be told apart, nor when close() was cut off", async () => {
    const openAnywhere = async (): Promise<FileCache> =>
      await openFileCache({ fs, dir, bytesMax: 1_000, bootId: undefined });
    const first = await openAnywhere();
    (await use(first, "aa", 10)).release();
    await first.close(never);
    const second = await openAnywhere();
    assert.deepEqual(await names(dir), ["aa-10"]);
    (await use(second, "bb", 10)).release();
    await second.close(AbortSignal.abort());
    await openAnywhere();
    assert.deepEqual(await names(dir), []);
  });
  it("fetches again when the file on disk has another length or is gone", async () => {
    const cache = await open();
    const { path } = await use(cache, "aa", 10);
    await fs.rm(path);
    assert.equal((await fs.readFile((await use(cache, "aa", 10)).path)).length, 10);
    await fs.chmod(path, 0o644);
    await fs.writeFile(path, "short");
    assert.equal((await fs.readFile((await use(cache, "aa", 10)).path)).length, 10);
    assert.equal(fetched.length, 3);
  });
  it("refuses a fetch of another length and keeps nothing of it", async () => {
    const cache = await open();
    for (const bytes of [9, 11]) {
      const wrong = cache.use({ digest: "aa", bytes: 10 }, source("aa", bytes), never);
      await assert.rejects(wrong, (error) => isCoded(error, "data_loss"));
    }
    assert.deepEqual(await names(dir), []);
    assert.deepEqual(await fs.readdir(`${dir}/incoming`), []);
  });
  it("lets the next in line fetch when a fetch fails or is aborted", async () => {
    const cache = await open();
    const stop = new AbortController();
    const failing = cache.use({ digest: "aa", bytes: 10 }, () => failingSource(stop), stop.signal);
    const waiting = use(cache, "aa", 10);
    await assert.rejects(failing, /stopped/);
    assert.equal((await fs.readFile((await waiting).path)).length, 10);
  });
  it("stops waiting for another's fetch when aborted", async () => {
    const cache = await open();
    const gate = Promise.withResolvers<undefined>();
    const slow = cache.use(
      { digest: "aa", bytes: 1 },
      async function* () {
        await gate.promise;
        yield Buffer.from("x");
      },
      never,
    );
    const stop = new AbortController();
    const waiting = use(cache, "aa", 1, stop.signal);
    stop.abort(new Error("enough"));
    await assert.rejects(waiting, /enough/);
    gate.resolve(undefined);
    await slow;
  });
  it("never takes a file away from who holds it, and stays below its bound", async () => {
    const steps = fc.array(
      fc.record({ file: fc.integer({ min: 0, max: 9 }), hold: fc.integer({ min: 0, max: 3 }) }),
      { minLength: 1, maxLength: 40 },
    );
    await fc.assert(
      fc.asyncProperty(steps, async (uses) => {
        dir = `${home}/${++count}`;
        const cache = await open(35);
        const one = async ({ file, hold }: { file: number; hold: number }): Promise<void> => {
          const held = await use(cache, `a${file}`, file);
          for (let i = 0; i < hold; i++) await new Promise(setImmediate);
          assert.equal((await fs.readFile(held.path)).length, file);
          held.release();
        };
        await Promise.all(uses.map(one));
        await use(cache, "ff", 1);
        const sizes = await Promise.all(
          (await names(dir)).map(async (name) => (await fs.stat(`${dir}/${name}`)).size),
        );
        assert.ok(sizes.reduce((a, b) => a + b, 0) <= 35);
      }),
      { numRuns: 30 },
    );
  });
});

async function names(dir: string): Promise<string[]> {
  return (await fs.readdir(dir))
    .filter((name) => name !== "incoming" && name !== "state")
    .toSorted();
}

async function* failingSource(stop: AbortController): AsyncGenerator<Uint8Array> {
  await new Promise(setImmediate);
  stop.abort(new Error("stopped"));
  yield Buffer.alloc(1);
}
