import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { keyOfPath, pathOfKey } from "../../model/paths.ts";
import { aggregate } from "./aggregate.ts";
import { buildTree } from "./build.ts";
import { emptyTree, type Entry } from "./entry.ts";
import { find } from "./find.ts";
import { isBelow } from "./key-range.ts";
import { listChildren } from "./list-children.ts";
import { openMemNodes } from "./mem-nodes.ts";
import { scan } from "./scan.ts";
import { newerOf } from "./tree-kind.ts";
import {
  all,
  contentOf,
  dirAt,
  entryAt,
  openCountingNodes,
  sorted,
  tombstoneAt,
  uidOf,
} from "./testing/entries.ts";

const paths = async (entries: AsyncIterable<Entry>): Promise<string[]> =>
  (await all(entries)).map(({ key }) => pathOfKey(key));

/** A directory of a million names in small: three directories of many files, two with directories. */
function bigEntries(filesEach: number): Entry[] {
  const entries: Entry[] = [];
  for (const dir of ["a", "a.b", "b", "b/inner", "c", "c/deep", "c/deep/er"]) {
    entries.push(dirAt(dir));
    for (let i = 0; i < filesEach; i++) {
      entries.push(
        entryAt(`${dir}/f${i}`, {
          content: contentOf(`x${i}`),
          modifiedMicros: i,
          commit: uidOf(i % 5),
        }),
      );
    }
  }
  return sorted([
    ...entries,
    entryAt("a-file", { content: contentOf("xyz"), modifiedMicros: 99_999 }),
    entryAt("z"),
  ]);
}

test("scan(), find() and aggregate() agree with a plain array", async () => {
  const nodes = openMemNodes();
  const entries = bigEntries(200);
  const ref = await buildTree(entries, nodes);
  const some = fc
    .oneof(
      fc.constantFrom(
        "",
        "a",
        "a.b",
        "a/f0",
        "b",
        "b/inner",
        "c",
        "c/deep/er",
        "nothing",
        "a-file",
        "z",
        "zz",
      ),
      fc.constantFrom(...entries.map(({ key }) => pathOfKey(key))),
    )
    .map(keyOfPath);
  const range = fc.record({ from: some, after: some, below: some }, { requiredKeys: [] });
  await fc.assert(
    fc.asyncProperty(range, some, async (range, key) => {
      const { from, after, below } = range;
      const expected = entries.filter(
        (entry) =>
          (from === undefined || Buffer.compare(entry.key, from) >= 0) &&
          (after === undefined || Buffer.compare(entry.key, after) > 0) &&
          (below === undefined || isBelow(entry.key, below)),
      );
      assert.deepEqual(await all(scan(ref, range, nodes)), expected);
      assert.deepEqual(
        await find(ref, key, nodes),
        entries.find((entry) => entry.key.equals(key)),
      );
      const under = entries.filter((entry) => entry.key.equals(key) || isBelow(entry.key, key));
      const sum = await aggregate(ref, key, nodes);
      assert.equal(sum.count, under.length);
      assert.equal(
        sum.bytes,
        under.reduce((bytes, { content }) => bytes + content.bytes, 0),
      );
      const { modifiedMicros, commit } = under.reduce(newerOf, emptyTree.newest);
      assert.deepEqual(sum.newest, { modifiedMicros, commit });
    }),
    { numRuns: 80 },
  );
});

test("find() and aggregate() read a node or two a level, scan() little more than it gives", async () => {
  const nodes = openCountingNodes();
  const entries = bigEntries(2500);
  const ref = await buildTree(entries, nodes);
  const depth = ref.level + 1;
  nodes.reset();
  await find(ref, keyOfPath("b/f100"), nodes);
  assert.equal(nodes.reads, depth);
  for (const dir of ["", "a", "b", "b/inner", "c/deep", "z", "nothing"]) {
    nodes.reset();
    await aggregate(ref, keyOfPath(dir), nodes);
    assert.ok(nodes.reads <= 2 * depth, `${nodes.reads} reads for ${dir}`);
  }
  nodes.reset();
  for await (const entry of scan(ref, { from: keyOfPath("b/f5") }, nodes))
    if (entry.key.length > 0) break;
  assert.equal(nodes.reads, depth);
  nodes.reset();
  assert.equal((await all(scan(ref, { below: keyOfPath("b/inner") }, nodes))).length, 2500);
  assert.ok(nodes.reads < 2500 / 64 + 2 * depth, `${nodes.reads} reads`);
});

test("listChildren() gives the direct children and reads nothing below them", async () => {
  const nodes = openCountingNodes();
  const ref = await buildTree(bigEntries(2500), nodes);
  nodes.reset();
  assert.deepEqual(await paths(listChildren(ref, keyOfPath(""), {}, nodes)), [
    "a",
    "a-file",
    "a.b",
    "b",
    "c",
    "z",
  ]);
  assert.ok(nodes.reads <= 7 * (ref.level + 1), `${nodes.reads} reads`);
  nodes.reset();
  assert.deepEqual(await paths(listChildren(ref, keyOfPath("c/deep"), { limit: 2 }, nodes)), [
    "c/deep/er",
    "c/deep/f0",
  ]);
  assert.ok(nodes.reads <= 2 * (ref.level + 1), `${nodes.reads} reads`);
  const after = await all(
    listChildren(ref, keyOfPath("c/deep"), { after: keyOfPath("c/deep/f998") }, nodes),
  );
  assert.deepEqual(
    after.map(({ key }) => pathOfKey(key)),
    ["c/deep/f999"],
  );
  assert.deepEqual(
    await paths(listChildren(ref, keyOfPath(""), { after: keyOfPath("a"), limit: 3 }, nodes)),
    ["a-file", "a.b", "b"],
  );
  for (const none of ["z", "a-file", "nothing", "a/f0"]) {
    assert.deepEqual(await paths(listChildren(ref, keyOfPath(none), {}, nodes)), []);
  }
});

test("listChildren() pages through a directory in steps of any size", async () => {
  const nodes = openMemNodes();
  const ref = await buildTree(bigEntries(150), nodes);
  const whole = await paths(listChildren(ref, keyOfPath("c"), {}, nodes));
  for (const limit of [1, 7, 150]) {
    const seen: string[] = [];
    for (let last: Buffer | undefined; ;) {
      const page = await all(
        listChildren(
          ref,
          keyOfPath("c"),
          { limit, ...(last === undefined ? {} : { after: last }) },
          nodes,
        ),
      );
      if (page.length === 0) break;
      seen.push(...page.map(({ key }) => pathOfKey(key)));
      last = page.at(-1)!.key;
    }
    assert.deepEqual(seen, whole);
  }
});

test("listChildren() tells a from a.b and a/b, with and without a directory a", async () => {
  const nodes = openMemNodes();
  const flat = await buildTree(sorted([entryAt("a"), entryAt("a.b"), entryAt("ab")]), nodes);
  assert.deepEqual(await paths(listChildren(flat, keyOfPath(""), {}, nodes)), ["a", "a.b", "ab"]);
  assert.deepEqual(await paths(scan(flat, { below: keyOfPath("a") }, nodes)), []);
  const deep = await buildTree(
    sorted([dirAt("a"), entryAt("a/b"), entryAt("a.b"), entryAt("ab")]),
    nodes,
  );
  assert.deepEqual(await paths(listChildren(deep, keyOfPath(""), {}, nodes)), ["a", "a.b", "ab"]);
  assert.deepEqual(await paths(listChildren(deep, keyOfPath("a"), {}, nodes)), ["a/b"]);
  assert.deepEqual(await paths(scan(deep, {}, nodes)), ["a", "a/b", "a.b", "ab"]);
});

test("listChildren() of a delta passes over tombstones deep below and over the root's own", async () => {
  const nodes = openMemNodes();
  const delta = await buildTree(
    sorted([tombstoneAt(""), tombstoneAt("x/y"), tombstoneAt("x/z"), entryAt("y")]),
    nodes,
  );
  assert.deepEqual(await paths(listChildren(delta, keyOfPath(""), {}, nodes)), ["y"]);
  assert.deepEqual(await paths(listChildren(delta, keyOfPath("x"), {}, nodes)), ["x/y", "x/z"]);
  assert.deepEqual(await paths(listChildren(emptyTree, keyOfPath(""), {}, nodes)), []);
});
