import { createHash } from "node:crypto";
import { contentDigest } from "./content-format.ts";
import { emptyTree, type Entry, type Newest, type NodeSource, type TreeRef } from "./entry.ts";
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
  await addAll(sum, ref, { from: key, end: subtreeEnd(key), source });
  return { count: sum.count, bytes: sum.bytes, newest: sum.newest };
}

/**
 * Names what is below a directory (the empty key: in the whole tree), whenever it was written: equal digests,
 * equal paths and contents. The other way round that holds only in trees that are alike around the directory
 * too, for nodes count as a whole. Reads at most two nodes a level.
 */
export async function digestBelow(ref: TreeRef, key: Buffer, source: NodeSource): Promise<Buffer> {
  const hash = createHash("sha256");
  const sum = {
    addChild: ({ digest }: Child) => hash.update("n").update(digest),
    addEntry: ({ key: { length }, key: path, type, content }: Entry) =>
      hash.update(`e${length} ${type} ${contentDigest({ content })}`).update(path),
  };
  await addAll(sum, ref, { from: key, end: subtreeEnd(key), source });
  return hash.digest();
}

/** What all below is added to, in order: whole nodes, and entries of nodes that are only partly in it. */
interface Adder {
  addChild(child: Child): unknown;
  addEntry(entry: Entry): unknown;
}

async function addAll(sum: Adder, { count, address, level }: TreeRef, range: Range): Promise<void> {
  if (count > 0) await addNode(sum, { address, level }, range);
}

interface Range {
  readonly from: Buffer;
  readonly end: KeyEnd;
  readonly source: NodeSource;
}

async function addNode(
  sum: Adder,
  at: { address: Buffer; level: number },
  range: Range,
): Promise<void> {
  const node = await readNode(at.address, at.level, range.source);
  if (node.kind === "leaf") {
    for (const entry of node.items) {
      if (Buffer.compare(entry.key, range.from) < 0 || !isBefore(entry.key, range.end)) continue;
      sum.addEntry(entry);
    }
    return;
  }
  let previous: Child | undefined;
  for (const child of node.items) {
    const isWithin = startsWithin(previous, range) && isBefore(child.key, range.end);
    const mayOverlap =
      Buffer.compare(child.key, range.from) >= 0 &&
      (previous === undefined || isBefore(previous.key, range.end));
    if (isWithin) sum.addChild(child);
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

  addEntry({ content, modifiedMicros, commit }: Entry): void {
    this.addChild({ count: 1, bytes: content.bytes, newest: { modifiedMicros, commit } });
  }

  addChild(part: Aggregate): void {
    this.count += part.count;
    this.bytes += part.bytes;
    this.newest = newerOf(this.newest, part.newest);
  }
}
