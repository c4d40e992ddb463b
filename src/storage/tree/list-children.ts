import type { Entry, NodeSource, TreeRef } from "./entry.ts";
import { isBelow, lowerBound, subtreeEnd } from "./key-range.ts";
import { TreeReader } from "./tree-reader.ts";

/** Which children to list. */
export interface ListRange {
  /** Key of the last child that was seen: the list goes on behind it. */
  readonly after?: Buffer;
  /** At most so many; default: all. */
  readonly limit?: number;
}

/**
 * The direct children of a directory in order of their keys, without reading what lies below them.
 * The directory need not have an entry of its own; a file has no children.
 */
export async function* listChildren(
  ref: TreeRef,
  dir: Buffer,
  range: ListRange,
  source: NodeSource,
): AsyncGenerator<Entry, void, void> {
  const reader = new TreeReader(ref, source);
  let left = range.limit ?? Infinity;
  let seek = firstBelow(dir);
  if (range.after !== undefined && isBelow(range.after, dir)) seek = behind(range.after);
  while (left > 0) {
    const located = await reader.from(0, seek);
    if (located?.node.kind !== "leaf") return;
    const { items } = located.node;
    for (
      let i = lowerBound(items, seek);
      i < items.length && left > 0;
      i = lowerBound(items, seek)
    ) {
      const entry = items[i]!;
      if (!isBelow(entry.key, dir)) return;
      const child = childKey(entry.key, dir);
      seek = behind(child);
      // A delta may hold a tombstone deep below a directory that it does not name.
      if (child.length < entry.key.length) continue;
      left--;
      yield entry;
    }
  }
}

/** No name is empty: nothing stands between this key and the first child's. */
function firstBelow(dir: Buffer): Buffer {
  return dir.length === 0 ? Buffer.from([1]) : Buffer.concat([dir, Buffer.from([0])]);
}

/** The first key that may follow a child and all that is below it. */
function behind(child: Buffer): Buffer {
  return subtreeEnd(child) ?? firstBelow(child);
}

/** The key of the child of `dir` that is, or holds, `key`. */
function childKey(key: Buffer, dir: Buffer): Buffer {
  const separator = key.indexOf(0, dir.length + 1);
  return separator < 0 ? key : key.subarray(0, separator);
}
