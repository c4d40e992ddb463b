/**
 * Goal: whatever users do, and however it is grouped into requests and commits, roots hold what a
 * plain model holds. Method: random deeds on few paths, so that they meet.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { pathOfKey } from "../../model/paths.ts";
import { buildTree } from "../tree/build.ts";
import { emptyTree, type Entry, type TreeRef } from "../tree/entry.ts";
import { isBelow, parentKey } from "../tree/key-range.ts";
import { openMemNodes, type MemNodes } from "../tree/mem-nodes.ts";
import { scan } from "../tree/scan.ts";
import { all, contentOf, uidOf } from "../tree/testing/entries.ts";
import { applyDelta } from "./apply-delta.ts";
import { foldDeltas } from "./fold-deltas.ts";
import { normalizeRun } from "./normalize-run.ts";
import { entryOf, Model, type Deed } from "./testing/model.ts";

const long = (name: string): string => name.repeat(4096 / name.length);
const name = fc.constantFrom("a", "a.b", "b", "ab", "\u{ff5e}", "\u{1f600}", long("k"), long("l"));
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join("/"));
const word = fc.constantFrom("", "x", "y", "zz");
const deed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom("put", "replace"), path, word }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("mkdir"), path }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("delete"),
      path: fc.oneof({ weight: 5, arbitrary: path }, { weight: 1, arbitrary: fc.constant("") }),
    }),
  },
);
/** Commits of requests of deeds. */
const history = fc.array(
  fc.array(fc.array(deed, { maxLength: 8, size: "max" }), { maxLength: 4 }),
  { maxLength: 4, size: "max" },
);

/** Leaves out what would be refused. */
function possible(commits: readonly Deed[][][]): { commits: Deed[][][]; model: Model } {
  const model = new Model();
  return {
    commits: commits.map((runs) => runs.map((deeds) => deeds.filter((deed) => model.does(deed)))),
    model,
  };
}

async function runOf(
  deeds: readonly Deed[],
  nodes: MemNodes,
  stamp: Partial<Entry> = {},
): Promise<Entry[]> {
  return await normalizeRun(
    deeds.map((deed) => entryOf(deed, contentOf, stamp)),
    nodes,
    nodes,
  );
}

const fold = async (deltas: readonly Entry[][], nodes: MemNodes): Promise<Entry[]> =>
  await all(foldDeltas(deltas, "sequence", nodes, nodes));

async function rootOf(commits: readonly Deed[][][], nodes: MemNodes): Promise<TreeRef> {
  let root = emptyTree;
  for (const runs of commits) {
    const delta = await fold(
      await Promise.all(runs.map(async (deeds) => await runOf(deeds, nodes))),
      nodes,
    );
    assertNormal(delta);
    root = await applyDelta(root, delta, nodes, nodes);
  }
  return root;
}

function assertNormal(delta: readonly Entry[]): void {
  for (const [i, entry] of delta.entries()) {
    if (i > 0) assert.ok(Buffer.compare(delta[i - 1]!.key, entry.key) < 0);
    const above = delta.slice(0, i).filter(({ key }) => isBelow(entry.key, key));
    if (above.some(({ clear }) => clear)) assert.ok(!entry.clear && !entry.reset);
    assert.ok(!(entry.clear && entry.reset));
    if (entry.type === "none") assert.ok(entry.clear);
    else if (parentKey(entry.key).length > 0)
      assert.ok(above.some(({ key, type }) => type === "dir" && key.equals(parentKey(entry.key))));
  }
}

test("roots hold what was done, address included, however it was grouped", async () => {
  await fc.assert(
    fc.asyncProperty(history, async (wild) => {
      const nodes = openMemNodes();
      const { commits, model } = possible(wild);
      const expected = await buildTree(await model.entries(nodes), nodes);
      const root = await rootOf(commits, nodes);
      assert.deepEqual(
        (await all(scan(root, {}, nodes))).map(shown),
        (await all(scan(expected, {}, nodes))).map(shown),
      );
      assert.deepEqual(root, expected);
      assert.deepEqual(await rootOf([commits.flat()], nodes), expected);
      assert.deepEqual(await rootOf([[commits.flat(2)]], nodes), expected);
      assert.deepEqual(
        await rootOf(
          commits.flat(2).map((one) => [[one]]),
          nodes,
        ),
        expected,
      );
    }),
    { numRuns: 80 },
  );
});

test("foldDeltas() then applyDelta() is applyDelta() of each, times and commits included", async () => {
  await fc.assert(
    fc.asyncProperty(history, async (wild) => {
      const nodes = openMemNodes();
      const { commits } = possible(wild);
      let root = emptyTree;
      const deltas: Entry[][] = [];
      for (const [i, runs] of commits.entries()) {
        const delta = await runOf(runs.flat(), nodes, { modifiedMicros: 10 + i, commit: uidOf(i) });
        deltas.push(delta);
        root = await applyDelta(root, delta, nodes, nodes);
      }
      const folded = await fold(deltas, nodes);
      assert.deepEqual(await applyDelta(emptyTree, folded, nodes, nodes), root);
      const stepwise = await fold(
        [await fold(deltas.slice(0, 2), nodes), ...deltas.slice(2)],
        nodes,
      );
      assert.deepEqual(stepwise, folded);
      assert.deepEqual(await fold([folded], nodes), folded);
    }),
    { numRuns: 80 },
  );
});

test("normalizeRun() gives one result for puts of different paths in any order", async () => {
  const puts = fc.uniqueArray(
    fc.tuple(
      fc.nat(5).map((n) => `d${n % 2}/f${n}`),
      fc.array(word, { maxLength: 30, size: "max" }),
    ),
    { selector: ([path]) => path, maxLength: 6 },
  );
  await fc.assert(
    fc.asyncProperty(puts, fc.infiniteStream(fc.nat()), async (files, choices) => {
      const nodes = openMemNodes();
      const byPath = files.flatMap(([path, words]) =>
        words.map((word): Deed => ({ do: "put", path, word })),
      );
      const left = files.map(([path, words]) =>
        words.map((word): Deed => ({ do: "put", path, word })),
      );
      const mixed: Deed[] = [];
      while (mixed.length < byPath.length) {
        const some = left.filter((deeds) => deeds.length > 0);
        mixed.push(some[choices.next().value % some.length]!.shift()!);
      }
      assert.deepEqual(await runOf(mixed, nodes), await runOf(byPath, nodes));
    }),
    { numRuns: 60 },
  );
});

function shown(entry: Entry): string {
  const words = entry.content.kind === "pieces" ? entry.content.pieces.length : "list";
  return `${entry.type} ${pathOfKey(entry.key).slice(0, 20)} ${words} ${entry.content.bytes}`;
}
