import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { pathOfKey } from "../../model/paths.ts";
import { buildTree } from "./build.ts";
import { diff } from "./diff.ts";
import { emptyTree, type Entry } from "./entry.ts";
import { all, contentOf, entryAt, openCountingNodes, sorted, uidOf } from "./testing/entries.ts";
import { openMemNodes } from "./mem-nodes.ts";
import { putEntry, removeEntry, updateTree } from "./update.ts";

const base = (count: number): Entry[] =>
  sorted(
    Array.from({ length: count }, (_, i) =>
      entryAt(`d${i % 9}/f${i}`, { content: contentOf(`${i}`) }),
    ),
  );

test("diff() applied to the one gives the other", async () => {
  const nodes = openMemNodes();
  const change = fc.tuple(fc.nat(1000), fc.nat(3));
  await fc.assert(
    fc.asyncProperty(
      fc.nat(800),
      fc.array(change, { maxLength: 30, size: "max" }),
      async (count, changes) => {
        const before = base(count);
        const map = new Map(before.map((entry) => [entry.key.toString("latin1"), entry]));
        for (const [i, v] of changes) {
          const entry = entryAt(`d${i % 9}/f${i}`, {
            content: contentOf(`${i}${"x".repeat(v)}`),
            commit: uidOf(v),
          });
          if (v === 3) map.delete(entry.key.toString("latin1"));
          else map.set(entry.key.toString("latin1"), entry);
        }
        const [a, b] = [
          await buildTree(before, nodes),
          await buildTree(sorted(map.values()), nodes),
        ];
        for (const [from, to] of [
          [a, b],
          [b, a],
          [emptyTree, b],
          [a, emptyTree],
        ] as const) {
          const steps = (await all(diff(from, to, nodes))).map(({ key, after }) =>
            after === undefined ? removeEntry(key) : putEntry(after),
          );
          assert.deepEqual((await updateTree(from, steps, nodes, nodes)).digest, to.digest);
        }
      },
    ),
    { numRuns: 12 },
  );
});

test("diff() says what changed and not what was only touched", async () => {
  const nodes = openMemNodes();
  const [same, changed, gone, added] = ["a", "b", "c", "d"].map((path) =>
    entryAt(path, { content: contentOf(path) }),
  );
  const touched = { ...same!, modifiedMicros: 5, commit: uidOf(4) };
  const after = { ...changed!, content: contentOf("new") };
  const a = await buildTree([same!, changed!, gone!], nodes);
  const b = await buildTree([touched, after, added!], nodes);
  assert.deepEqual(await all(diff(a, b, nodes)), [
    { key: changed!.key, before: changed, after },
    { key: gone!.key, before: gone },
    { key: added!.key, after: added },
  ]);
});

test("diff() reads a path in each tree for one change, and nothing for none", async () => {
  const nodes = openCountingNodes();
  const entries = base(30_000);
  const a = await buildTree(entries, nodes);
  const touched = await updateTree(
    a,
    [putEntry({ ...entries[777]!, commit: uidOf(8) })],
    nodes,
    nodes,
  );
  nodes.reset();
  assert.deepEqual(await all(diff(a, touched, nodes)), []);
  assert.equal(nodes.reads, 0);
  for (const entry of [entries[5]!, entries[15_000]!, entryAt("d3/new")]) {
    const b = await updateTree(
      a,
      [putEntry({ ...entry, content: contentOf("changed") })],
      nodes,
      nodes,
    );
    nodes.reset();
    assert.deepEqual(
      (await all(diff(a, b, nodes))).map(({ key }) => pathOfKey(key)),
      [pathOfKey(entry.key)],
    );
    assert.ok(nodes.reads <= 2 * (a.level + 2), `${nodes.reads} reads`);
  }
});
