/**
 * Goal: a request of very many files does not stop the daemon for others. Method: count the turns of
 * the event loop that others get meanwhile; never the time, which depends on the machine.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../base/random.ts";
import { buildTree } from "../tree/build.ts";
import { emptyTree, type Entry } from "../tree/entry.ts";
import { openMemNodes } from "../tree/mem-nodes.ts";
import { uidOf } from "../tree/testing/entries.ts";
import { applyDelta } from "./apply-delta.ts";
import { foldDeltas } from "./fold-deltas.ts";
import { normalizeRun } from "./normalize-run.ts";
import { sortInTurns } from "./sort-in-turns.ts";

const count = 20_000;
const entriesPerTurnMax = 600;

const entries = Array.from({ length: count }, (_, i): Entry => {
  const hash = Buffer.alloc(32, i % 251);
  return {
    key: Buffer.from(`directory ${i % 50}\0file ${(i * 7_919) % count}`),
    type: "file",
    reset: false,
    clear: false,
    content: { kind: "pieces", pieces: [{ hash, bytes: 5, blockEnds: [5] }], bytes: 5 },
    modifiedMicros: 1,
    commit: uidOf(1),
  };
});

/** Does the work and asserts that others had their turns. */
async function sharing<T>(name: string, work: () => Promise<T>): Promise<T> {
  let turns = 0;
  let isOver = false;
  const take = (): void => {
    turns++;
    if (!isOver) setImmediate(take);
  };
  setImmediate(take);
  const result = await work();
  isOver = true;
  assert.ok(turns >= count / entriesPerTurnMax, `${name}: ${turns} turns`);
  return result;
}

test("normalizeRun(), foldDeltas(), applyDelta() and buildTree() give others their turns", async () => {
  const nodes = openMemNodes();
  const run = await sharing("normalizeRun", async () => await normalizeRun(entries, nodes, nodes));
  assert.equal(run.length, count + 50);
  const tree = await sharing("buildTree", async () => await buildTree(run, nodes));
  await sharing("applyDelta", async () => await applyDelta(emptyTree, run, nodes, nodes));
  await sharing("applyDelta", async () => await applyDelta(tree, run, nodes, nodes));
  await sharing("foldDeltas", async () => {
    for await (const entry of foldDeltas([run, run], "sequence", nodes, nodes))
      assert.ok(entry.key.length > 0);
  });
});

test("sortInTurns() sorts as toSorted() does, equal items included", async () => {
  const random = seededRandom(1);
  const byKey = (a: { key: number }, b: { key: number }): number => a.key - b.key;
  for (const length of [0, 1, 2_048, 2_049, 10_000]) {
    const items = Array.from({ length }, (_, i) => ({ key: random.bytes(1)[0]!, i }));
    assert.deepEqual(await sortInTurns(items, byKey), items.toSorted(byKey));
  }
});
