import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { keyOfPath } from "../../model/paths.ts";
import { buildTree } from "./build.ts";
import { cutHash, itemsMean } from "./cut.ts";
import type { Entry } from "./entry.ts";
import { isBelow } from "./key-range.ts";
import { openMemNodes } from "./mem-nodes.ts";
import { scan } from "./scan.ts";
import { all, contentOf, entryAt, openCountingNodes, sorted, uidOf } from "./testing/entries.ts";
import { TreeReader } from "./tree-reader.ts";
import { putEntry, removeEntry, removeSubtree, updateTree, type Change } from "./update.ts";

const numbered = (i: number): string =>
  `dir-${Math.floor(i / 100) % 50}/sub-${i % 7}/file-${String(i).padStart(7, "0")}`;

function manyEntries(count: number): Entry[] {
  return sorted(
    Array.from({ length: count }, (_, i) => entryAt(numbered(i), { content: contentOf(`v${i}`) })),
  );
}

/** Changes applied to a plain array. */
function applied(entries: readonly Entry[], changes: readonly Change[]): Entry[] {
  const map = new Map(entries.map((entry) => [entry.key.toString("latin1"), entry]));
  for (const { key, clear } of changes) {
    if (clear !== true) continue;
    for (const [name, entry] of map)
      if (entry.key.equals(key) || isBelow(entry.key, key)) map.delete(name);
  }
  for (const { key, merge } of changes) {
    const name = key.toString("latin1");
    if (merge === undefined) continue;
    const entry = merge(map.get(name)) as Entry | undefined;
    if (entry === undefined) map.delete(name);
    else map.set(name, entry);
  }
  return sorted(map.values());
}

function inOrder(changes: Iterable<Change>): Change[] {
  const byKey = new Map<string, Change>();
  for (const change of changes) byKey.set(change.key.toString("latin1"), change);
  return [...byKey.values()].sort((a, b) => Buffer.compare(a.key, b.key));
}

test("updateTree() makes the tree that buildTree() makes, address included", async () => {
  const name = fc.oneof(
    fc.constantFrom("a", "b", "a.b", "\u{ff5e}", "\u{1f600}"),
    fc.nat(40).map((n) => `n${n}`),
  );
  const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join("/"));
  const put = fc
    .tuple(path, fc.nat(5))
    .map(([at, v]) => putEntry(entryAt(at, { content: contentOf(`x${v}`), modifiedMicros: v })));
  const change = fc.oneof(
    put,
    path.map((at) => removeEntry(keyOfPath(at))),
    path.map((at) => removeSubtree(keyOfPath(at))),
    fc.constant(removeSubtree(Buffer.alloc(0))),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.nat(2000),
      fc.array(fc.array(change, { maxLength: 30, size: "max" }), { maxLength: 4 }),
      async (count, steps) => {
        const nodes = openMemNodes();
        let entries = sorted(
          new Map(
            Array.from({ length: count }, (_, i) => [i, entryAt(`n${i % 41}/n${i % 37}/n${i}`)]),
          ).values(),
        );
        let ref = await buildTree(entries, nodes);
        for (const step of steps) {
          const changes = inOrder(step);
          entries = applied(entries, changes);
          ref = await updateTree(ref, changes, nodes, nodes);
          assert.deepEqual(ref, await buildTree(entries, openMemNodes()));
        }
        assert.deepEqual(await all(scan(ref, {}, nodes)), entries);
      },
    ),
    { numRuns: 30 },
  );
});

test("updateTree() makes the same tree for changes anywhere, many or few (seed 7)", async () => {
  const nodes = openMemNodes();
  const before = manyEntries(2500);
  const start = await buildTree(before, nodes);
  const index = fc.nat(3000);
  const one = fc.tuple(index, fc.nat(3)).map(([i, kind]) => {
    if (kind === 0) return removeEntry(keyOfPath(numbered(i)));
    if (kind === 1) return removeSubtree(keyOfPath(`dir-${i % 50}`));
    if (kind === 2) return removeSubtree(keyOfPath(`dir-${i % 50}/sub-${i % 7}`));
    return putEntry(entryAt(numbered(i), { content: contentOf(`w${i}`), commit: uidOf(1) }));
  });
  await fc.assert(
    fc.asyncProperty(fc.array(one, { minLength: 1, maxLength: 60, size: "max" }), async (step) => {
      const changes = inOrder(step);
      const after = await updateTree(start, changes, nodes, nodes);
      assert.deepEqual(after, await buildTree(applied(before, changes), openMemNodes()));
    }),
    { numRuns: 12, seed: 7 },
  );
});

test("updateTree() removes runs of entries and appends at the end as buildTree() would", async () => {
  const nodes = openMemNodes();
  const before = manyEntries(3000);
  const start = await buildTree(before, nodes);
  for (const [from, to] of [
    [0, 3000],
    [0, 2999],
    [1, 3000],
    [2999, 3000],
    [10, 2000],
    [2500, 3000],
    [0, 1],
  ] as const) {
    const changes = before.slice(from, to).map((entry) => removeEntry(entry.key));
    const after = await updateTree(start, changes, nodes, nodes);
    assert.deepEqual(
      after,
      await buildTree([...before.slice(0, from), ...before.slice(to)], nodes),
    );
    assert.deepEqual(
      await updateTree(after, before.slice(from, to).map(putEntry), nodes, nodes),
      start,
    );
  }
});

test("updateTree() touches one node a level for one change, and nothing between changes far apart", async () => {
  const nodes = openCountingNodes();
  const before = manyEntries(30_000);
  const start = await buildTree(before, nodes);
  assert.equal(start.level, 2);
  const depth = start.level + 1;
  const { key } = (await new TreeReader(start, nodes).from(1, Buffer.alloc(0)))!;
  const lastOfInner = before.findIndex((entry) => entry.key.equals(key));
  assert.ok(lastOfInner < 29_999);
  for (const i of [0, 1, lastOfInner, lastOfInner + 1, 20_000, 22_222, 29_999]) {
    nodes.reset();
    const put = putEntry({ ...before[i]!, content: contentOf("new") });
    await updateTree(start, [put], nodes, nodes);
    assert.equal(nodes.writes, depth);
    // The new top is looked at: it may have become too high.
    assert.equal(nodes.reads, depth + 1);
  }
  nodes.reset();
  const apart = [1000, 15_000, 29_000].map((i) =>
    putEntry({ ...before[i]!, content: contentOf("new") }),
  );
  await updateTree(start, apart, nodes, nodes);
  assert.ok(
    nodes.writes <= 3 * 2 + 1 && nodes.reads <= 3 * 2 + 2,
    `${nodes.reads} reads, ${nodes.writes} writes`,
  );
  nodes.reset();
  const insert = putEntry(entryAt("dir-20/sub-3/new"));
  await updateTree(start, [insert], nodes, nodes);
  assert.ok(
    nodes.writes <= depth + 2 && nodes.reads <= depth + 3,
    `${nodes.reads} reads, ${nodes.writes} writes`,
  );
});

test("updateTree() removes a directory without reading what is in it", async () => {
  const nodes = openCountingNodes();
  const start = await buildTree(manyEntries(30_000), nodes);
  for (const dir of ["dir-20", "dir-0", "dir-9", ""]) {
    nodes.reset();
    await updateTree(start, [removeSubtree(keyOfPath(dir))], nodes, nodes);
    assert.ok(nodes.reads <= 3 * (start.level + 1), `${nodes.reads} reads for ${dir}`);
  }
});

test("updateTree() removes a directory that begins and ends where nodes do", async () => {
  const nodes = openMemNodes();
  const cutting = (name: string): string => {
    for (let i = 0; ; i++)
      if (cutHash(0, keyOfPath(`${name}${i}`)) < 2 ** 32 / itemsMean) return `${name}${i}`;
  };
  const files = (dir: string, count: number): Entry[] =>
    Array.from({ length: count }, (_, i) => entryAt(`${dir}/f${i}`));
  const kept = [entryAt("a"), entryAt(cutting("b")), ...files("e", 700)];
  const start = await buildTree(
    sorted([...kept, ...files("d", 700), entryAt(cutting("d/z"))]),
    nodes,
  );
  const expected = await buildTree(sorted(kept), nodes);
  assert.deepEqual(
    await updateTree(start, [removeSubtree(keyOfPath("d"))], nodes, nodes),
    expected,
  );
  const put = entryAt("d/f9");
  const changes = [removeSubtree(keyOfPath("d")), putEntry(put)];
  assert.deepEqual(
    await updateTree(start, changes, nodes, nodes),
    await buildTree(sorted([...kept, put]), nodes),
  );
});

test("updateTree() writes nothing when nothing changes", async () => {
  const nodes = openCountingNodes();
  const before = manyEntries(3000);
  const start = await buildTree(before, nodes);
  nodes.reset();
  const same = [before[0]!, before[1_500]!, before[2_999]!].map(({ key }): Change => ({
    key,
    merge: (entry) => entry,
  }));
  const missing = [removeSubtree(keyOfPath("dir-1/nothing")), removeEntry(keyOfPath("zzz"))];
  assert.equal(await updateTree(start, inOrder([...same, ...missing]), nodes, nodes), start);
  assert.equal(nodes.writes, 0);
});

test("updateTree() handles keys of 30 bytes and of 64 KiB side by side", async () => {
  const nodes = openMemNodes();
  const long = (i: number, bytes: number): string =>
    `d/${String(i).padStart(5, "0")}${"x".repeat(bytes)}`;
  const entries = sorted(
    Array.from({ length: 400 }, (_, i) =>
      entryAt(long(i, i % 20 === 0 ? 65_000 : i % 3 === 0 ? 4096 : 23)),
    ),
  );
  const built = await buildTree(entries, nodes);
  let stepwise = await buildTree([], nodes);
  for (let i = 0; i < entries.length; i += 37) {
    stepwise = await updateTree(stepwise, entries.slice(i, i + 37).map(putEntry), nodes, nodes);
  }
  assert.deepEqual(stepwise, built);
  assert.deepEqual(await all(scan(built, {}, nodes)), entries);
});
