import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { adler32 } from "../base/hash.ts";
import { MiB } from "../base/size.ts";
import type { CommitName } from "../model/commit.ts";
import { wholeShard, type Shard } from "../model/shard.ts";
import { openTestPfs, type Files, type TestPfs } from "./testing/open-test-pfs.ts";

const r = (id: string): CommitName => ({ repo: "r", id });
const head = r("master");

async function withRepo(t: Parameters<typeof openTestPfs>[0]): Promise<TestPfs> {
  const pfs = openTestPfs(t);
  await pfs.repo("r");
  return pfs;
}

const fileShard = (fileNumber: number, fileModulus: number): Shard => ({
  ...wholeShard,
  fileNumber,
  fileModulus,
});
const blockShard = (blockNumber: number, blockModulus: number): Shard => ({
  ...wholeShard,
  blockNumber,
  blockModulus,
});

describe("file shards", () => {
  it("a view keeps all below a top-level entry together, by Adler-32 of its name", async (t) => {
    const pfs = await withRepo(t);
    const names = ["a", "b", "c", "dir", "é"];
    const files = Object.fromEntries(
      names.flatMap((name) =>
        name === "dir"
          ? [
              ["dir/x", "1"],
              ["dir/y/z", "2"],
            ]
          : [[name, name]],
      ),
    );
    await pfs.commit("r", files);
    const whole = await pfs.files(head);
    for (const modulus of [2, 3, 8]) {
      const seen: Files = {};
      for (let number = 0; number < modulus; number++) {
        const part = await pfs.files(head, { shard: fileShard(number, modulus) });
        for (const path of Object.keys(part)) {
          const top = Buffer.from(path.split("/")[0]!);
          assert.equal(adler32(top) % modulus, number, path);
          assert.ok(!(path in seen));
        }
        Object.assign(seen, part);
      }
      assert.deepEqual(seen, whole);
    }
  });

  it("a file of another shard is not found", async (t) => {
    const pfs = await withRepo(t);
    await pfs.commit("r", { a: "x" });
    const other = fileShard(1 - (adler32(Buffer.from("a")) % 2), 2);
    await assert.rejects(pfs.get(head, "a", { shard: other }), { code: "not_found" });
    await assert.rejects(pfs.inspect(head, "a", { shard: other }), { code: "not_found" });
    assert.deepEqual(await pfs.list(head, "", { shard: other }), []);
  });

  it("a shard number that is not below its modulus is refused", async (t) => {
    const pfs = await withRepo(t);
    await pfs.commit("r", { a: "x" });
    for (const shard of [fileShard(2, 2), blockShard(1, 1), fileShard(-1, 2), fileShard(0.5, 2)])
      await assert.rejects(pfs.get(head, "a", { shard }), { code: "invalid_argument" });
    const none = { fileNumber: 0, fileModulus: 0, blockNumber: 0, blockModulus: 0 };
    assert.equal(await pfs.get(head, "a", { shard: none }), "x");
  });
});

/** The shard of a block as the original reckons it: Adler-32 of the path with its slash and the block id. */
function blockShardOf(path: string, block: string, modulus: number): number {
  const id = createHash("sha512").update(block).digest("base64");
  const safe = id.replaceAll("+", "-").replaceAll("/", "_");
  return adler32(Buffer.from(`/${path}${safe}`)) % modulus;
}

describe("block shards", () => {
  it("each put is a block of its own, in the shard that its bytes name", async (t) => {
    const pfs = await withRepo(t);
    const puts = ["one\n", "two\n", "three\n", "four\n", "five\n", "six\n"];
    const id = await pfs.start("r");
    for (const text of puts.slice(0, 4)) await pfs.put(r(id), "d/f", text);
    await pfs.finish(r(id));
    for (const text of puts.slice(4)) await pfs.commit("r", { "d/f": text });
    for (const modulus of [2, 4]) {
      for (let number = 0; number < modulus; number++) {
        const expected = puts.filter((text) => blockShardOf("d/f", text, modulus) === number);
        const shard = blockShard(number, modulus);
        if (expected.length === 0)
          await assert.rejects(pfs.get(head, "d/f", { shard }), { code: "not_found" });
        else assert.equal(await pfs.get(head, "d/f", { shard }), expected.join(""));
      }
    }
  });

  it("a large put is cut at the first line end at or after 8 MiB, and every byte is in one shard", async (t) => {
    const pfs = await withRepo(t);
    const line = `${"x".repeat(99)}\n`;
    const lines = Math.ceil((20 * MiB) / 100);
    const text = Array.from({ length: lines }, (_, i) => `${i}${line.slice(String(i).length)}`);
    await pfs.commit("r", { f: text.join(""), small: "y\n" });
    const whole = await pfs.get(head, "f");
    const perBlock = Math.ceil((8 * MiB) / 100);
    const modulus = 4;
    const expected: string[] = Array.from({ length: modulus }, () => "");
    for (let at = 0; at < lines; at += perBlock) {
      const block = text.slice(at, at + perBlock).join("");
      expected[blockShardOf("f", block, modulus)] += block;
    }
    for (const [number, part] of expected.entries()) {
      const shard = blockShard(number, modulus);
      if (part === "") {
        await assert.rejects(pfs.get(head, "f", { shard }), { code: "not_found" });
        continue;
      }
      const shown = await pfs.get(head, "f", { shard });
      assert.ok(shown === part, `shard ${number}: ${shown.length} bytes for ${part.length}`);
      assert.equal((await pfs.inspect(head, "f", { shard })).sizeBytes, part.length);
      const range = { start: part.length - 150, end: part.length - 50, shard };
      assert.equal(await pfs.get(head, "f", range), part.slice(-150, -50));
    }
    assert.equal(whole.length, lines * 100);
  });

  it("an empty file and a directory's size belong to one shard each", async (t) => {
    const pfs = await withRepo(t);
    await pfs.commit("r", { empty: "", "d/a": "1\n", "d/b": "22\n", "d/c": "333\n" });
    const sizes: number[] = [];
    let shown = 0;
    for (let number = 0; number < 2; number++) {
      const shard = blockShard(number, 2);
      const listed = await pfs.list(head, "", { shard, recurse: true });
      shown += listed.filter((line) => line === "empty 0").length;
      const dir = listed.find((line) => line.startsWith("d/ "));
      const below = listed.filter((line) => /^d\/. /.test(line));
      const sum = below.reduce((total, line) => total + Number(line.split(" ")[1]), 0);
      assert.equal(dir ?? "d/ 0", `d/ ${sum}`);
      sizes.push(sum);
    }
    assert.equal(shown, 1);
    assert.equal(sizes[0]! + sizes[1]!, 9);
  });
});

/** Second commit of a test, on top of `a` "old\n", `d/x` "dx\n", `d/y` "dy\n", `e` "e\n". */
const changes: readonly {
  readonly what: string;
  readonly change: (pfs: TestPfs) => Promise<void>;
  readonly diff: Files;
  readonly full: Files;
}[] = [
  { what: "nothing", change: async () => {}, diff: {}, full: {} },
  {
    what: "an append",
    change: async (pfs) => await pfs.put(head, "a", "new\n"),
    diff: { a: "new\n" },
    full: { a: "old\nnew\n" },
  },
  {
    what: "an append in a directory",
    change: async (pfs) => await pfs.put(head, "d/x", "2\n"),
    diff: { d: null, "d/x": "2\n" },
    full: { d: null, "d/x": "dx\n2\n", "d/y": "dy\n" },
  },
  {
    what: "a new file",
    change: async (pfs) => await pfs.put(head, "n", "n\n"),
    diff: { n: "n\n" },
    full: { n: "n\n" },
  },
  {
    what: "the same bytes again",
    change: async (pfs) => await pfs.put(head, "a", "old\n"),
    diff: { a: "old\n" },
    full: { a: "old\nold\n" },
  },
  {
    what: "an overwrite by the same bytes",
    change: async (pfs) => await pfs.put(head, "a", "old\n", true),
    diff: { a: "old\n" },
    full: { a: "old\n" },
  },
  {
    what: "an overwrite that begins with the old bytes",
    change: async (pfs) => await pfs.put(head, "a", "old\nmore\n", true),
    diff: { a: "old\nmore\n" },
    full: { a: "old\nmore\n" },
  },
  {
    what: "delete and put",
    change: async (pfs) => {
      await pfs.delete(head, "a");
      await pfs.put(head, "a", "other\n");
    },
    diff: { a: "other\n" },
    full: { a: "other\n" },
  },
  {
    what: "an empty put",
    change: async (pfs) => await pfs.put(head, "a", ""),
    diff: { a: "" },
    full: { a: "old\n" },
  },
  {
    what: "a delete",
    change: async (pfs) => await pfs.delete(head, "a"),
    diff: {},
    full: {},
  },
  {
    what: "a delete of a directory and a file in it again",
    change: async (pfs) => {
      await pfs.delete(head, "d");
      await pfs.put(head, "d/z", "z\n");
    },
    diff: { d: null, "d/z": "z\n" },
    full: { d: null, "d/z": "z\n" },
  },
];

describe("from and full_file", () => {
  const base = { a: "old\n", "d/x": "dx\n", "d/y": "dy\n", e: "e\n" };
  for (const { what, change, diff, full } of changes) {
    it(`a view from the parent shows what was written by ${what}, open and finished`, async (t) => {
      const pfs = await withRepo(t);
      await pfs.commit("r", base);
      await pfs.start("r");
      await change(pfs);
      for (const _ of ["open", "finished"]) {
        assert.deepEqual(await pfs.files(head, { from: "master/0" }), diff);
        assert.deepEqual(await pfs.files(head, { from: "master/0", fullFile: true }), full);
        await pfs.finish(head);
      }
      assert.deepEqual(await pfs.files(head, { fullFile: true }), await pfs.files(head));
    });
  }

  it("a view from further back folds all writes since, oldest first", async (t) => {
    const pfs = await withRepo(t);
    await pfs.commit("r", { f: "0\n", g: "0\n" });
    await pfs.commit("r", { f: "1\n" });
    const id = await pfs.start("r");
    await pfs.put(r(id), "f", "2\n");
    await pfs.put(r(id), "g", "2\n", true);
    await pfs.finish(r(id));
    await pfs.commit("r", { g: "3\n" });
    assert.deepEqual(await pfs.files(head, { from: "master/0" }), { f: "1\n2\n", g: "2\n3\n" });
    assert.deepEqual(await pfs.files(head, { from: "master/1" }), { f: "2\n", g: "2\n3\n" });
    assert.deepEqual(await pfs.files(r("master/2"), { from: "master/0" }), {
      f: "1\n2\n",
      g: "2\n",
    });
  });

  it("a view from the commit itself, a later one or an unknown one", async (t) => {
    const pfs = await withRepo(t);
    await pfs.commit("r", { f: "0" });
    await pfs.commit("r", { f: "1" });
    assert.deepEqual(await pfs.files(head, { from: "master/1" }), {});
    assert.deepEqual(await pfs.files(r("master/0"), { from: "master/1" }), {});
    assert.equal(await pfs.get(head, "f", { from: "master/1" }), "");
    await assert.rejects(pfs.get(head, "g", { from: "master/1" }), { code: "not_found" });
    await assert.rejects(pfs.files(head, { from: "master/9" }), { code: "not_found" });
    assert.deepEqual(await pfs.files(head, { from: "" }), { f: "01" });
  });

  it("a view joins from and shards", async (t) => {
    const pfs = await withRepo(t);
    await pfs.commit("r", { f: "0\n", g: "0\n" });
    await pfs.commit("r", { f: "1\n", g: "1\n", h: "1\n" });
    const joined: Files = {};
    for (let n = 0; n < 4; n++)
      Object.assign(joined, await pfs.files(head, { from: "master/0", shard: blockShard(n, 4) }));
    assert.deepEqual(joined, { f: "1\n", g: "1\n", h: "1\n" });
  });
});
