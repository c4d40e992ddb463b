import type { Entry, NodeSource, TreeRef } from "./entry.ts";
import { lowerBound } from "./key-range.ts";
import { TreeReader } from "./tree-reader.ts";

/** The entry of a key; undefined when there is none. Reads one node a level. */
export async function find(
  ref: TreeRef,
  key: Buffer,
  source: NodeSource,
): Promise<Entry | undefined> {
  const located = await new TreeReader(ref, source).from(0, key);
  if (located?.node.kind !== "leaf") return undefined;
  const { items } = located.node;
  const entry = items[lowerBound(items, key)];
  return entry?.key.equals(key) === true ? entry : undefined;
}
