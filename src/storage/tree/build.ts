import { assert } from "../../base/assert.ts";
import { nextTurn, Turn } from "../../base/next-turn.ts";
import type { Entry, NodeSink, TreeRef } from "./entry.ts";
import { LevelStack } from "./level-stack.ts";
import type { Child } from "./node-format.ts";
import { treeKind, treeRefOf } from "./tree-kind.ts";

/** Builds a tree from entries in ascending order of their keys. Holds one open node a level. */
export async function buildTree(
  entries: AsyncIterable<Entry> | Iterable<Entry>,
  sink: NodeSink,
): Promise<TreeRef> {
  const stack = new LevelStack<Entry, Child>(treeKind, sink);
  let previous: Buffer | undefined;
  const turn = new Turn();
  for await (const entry of entries) {
    if (turn.isOver()) await nextTurn();
    assert(
      previous === undefined || Buffer.compare(previous, entry.key) < 0,
      "entries come in order",
    );
    previous = entry.key;
    await stack.pushLeaf(entry);
  }
  return treeRefOf(await stack.finish());
}
