import type { Entry, NodeSource, TreeRef } from "./entry.ts";
import { lowerBound } from "./key-range.ts";
import { TreeReader } from "./tree-reader.ts";

/** The entry of a key; undefined when there is none. Reads one node a level. */
export async function find(
  ref: TreeRef,
  key: Buffer,
  source: NodeSource,
): Promise<Entry | undefined> {
  return await finder(ref, source)(key);
}

/** find() for many keys of one tree: of keys near each other, each node is read once. */
export function finder(
  ref: TreeRef,
  source: NodeSource,
): (key: Buffer) => Promise<Entry | undefined> {
  const reader = new TreeReader(ref, source);
  return async (key) => {
    const located = await reader.from(0, key);
    if (located?.node.kind !== "leaf") return undefined;
    const { items } = located.node;
    const entry = items[lowerBound(items, key)];
    return entry?.key.equals(key) === true ? entry : undefined;
  };
}
