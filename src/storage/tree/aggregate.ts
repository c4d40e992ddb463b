import { emptyTree, type Newest, type NodeSource, type TreeRef } from "./entry.ts";
import { isBefore, subtreeEnd, type KeyEnd } from "./key-range.ts";
import type { Child } from "./node-format.ts";
import { readNode } from "./tree-reader.ts";
import { newerOf } from "./tree-kind.ts";

/** Sums over a path and all below it. */
export interface Aggregate {
  /** Entries, that of the path itself included. */
  readonly count: number;
  readonly bytes: number;
  /** When and by which commit any of them was last touched; time 0 when there are none. */
  readonly newest: Newest;
}

/** Sums up a directory (the empty key: the whole tree). Reads at most two nodes a level. */
export async function aggregate(ref: TreeRef, key: Buffer, source: NodeSource): Promise<Aggregate> {
  const sum = new Sum();
  if (ref.count > 0)
    await addNode(
      sum,
      { address: ref.address, level: ref.level },
      { from: key, end: subtreeEnd(key), source },
    );
  return { count: sum.count, bytes: sum.bytes, newest: sum.newest };
}

interface Range {
  readonly from: Buffer;
  readonly end: KeyEnd;
  readonly source: NodeSource;
}

async function addNode(
  sum: Sum,
  at: { address: Buffer; level: number },
  range: Range,
): Promise<void> {
  const node = await readNode(at.address, at.level, range.source);
  if (node.kind === "leaf") {
    for (const entry of node.items) {
      const { modifiedMicros, commit } = entry;
      if (Buffer.compare(entry.key, range.from) < 0 || !isBefore(entry.key, range.end)) continue;
      sum.add({ count: 1, bytes: entry.content.bytes, newest: { modifiedMicros, commit } });
    }
    return;
  }
  let previous: Child | undefined;
  for (const child of node.items) {
    const isWithin = startsWithin(previous, range) && isBefore(child.key, range.end);
    const mayOverlap =
      Buffer.compare(child.key, range.from) >= 0 &&
      (previous === undefined || isBefore(previous.key, range.end));
    if (isWithin) sum.add(child);
    else if (mayOverlap)
      await addNode(sum, { address: child.address, level: node.level - 1 }, range);
    previous = child;
  }
}

/** True when all keys of the node after `previous` are known to be in or after the range. */
function startsWithin(previous: Child | undefined, { from }: Range): boolean {
  return from.length === 0 || (previous !== undefined && Buffer.compare(previous.key, from) >= 0);
}

class Sum {
  count = 0;
  bytes = 0;
  newest = emptyTree.newest;

  add(part: Aggregate): void {
    this.count += part.count;
    this.bytes += part.bytes;
    this.newest = newerOf(this.newest, part.newest);
  }
}
