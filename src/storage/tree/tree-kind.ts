import { assert } from "../../base/assert.ts";
import { endsTreeNode } from "./cut.ts";
import { emptyTree, type Entry, type Newest, type NodeSink, type TreeRef } from "./entry.ts";
import type { Top } from "./level-stack.ts";
import type { NodeKind } from "./level-writer.ts";
import { encodeNode, type Child, type TreeNode } from "./node-format.ts";

/** Trees of entries: roots and deltas. */
export const treeKind: NodeKind<Entry, Child> = {
  weigh: (item) => item.key.length,
  endsNode: (level, last, { count, weight }) =>
    endsTreeNode(level, last.key, { count, keyBytes: weight }),
  store: async (level, items, sink) => {
    // Level 0 holds entries and no other level does: that is what a level is.
    const node =
      level === 0
        ? ({ kind: "leaf", level, items: items as readonly Entry[] } as const)
        : ({ kind: "inner", level, items: items as readonly Child[] } as const);
    return await storeNode(node, sink);
  },
};

/** The reference to a finished tree. */
export function treeRefOf(top: Top<Child> | undefined): TreeRef {
  if (top === undefined) return emptyTree;
  const { address, digest, count, bytes, newest } = top.child;
  return { address, digest, level: top.level, count, bytes, newest };
}

/** The later of two; at the same time the greater uid, so that the answer never depends on the order. */
export function newerOf(a: Newest, b: Newest): Newest {
  if (a.modifiedMicros !== b.modifiedMicros) return a.modifiedMicros > b.modifiedMicros ? a : b;
  return Buffer.compare(a.commit, b.commit) >= 0 ? a : b;
}

async function storeNode(node: TreeNode, sink: NodeSink): Promise<Child> {
  const { bytes: encoded, digest } = encodeNode(node);
  const last = node.items.at(-1);
  assert(last !== undefined, "a node has items");
  let count = 0;
  let bytes = 0;
  let newest = emptyTree.newest;
  if (node.kind === "leaf") {
    count = node.items.length;
    for (const entry of node.items) {
      bytes += entry.content.bytes;
      newest = newerOf(newest, entry);
    }
  } else {
    for (const child of node.items) {
      count += child.count;
      bytes += child.bytes;
      newest = newerOf(newest, child.newest);
    }
  }
  const { modifiedMicros, commit } = newest;
  const address = await sink.put(encoded);
  return { key: last.key, address, digest, count, bytes, newest: { modifiedMicros, commit } };
}
