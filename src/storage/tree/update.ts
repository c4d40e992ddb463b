import { present } from "../../base/assert.ts";
import { buildTree } from "./build.ts";
import type { Entry, NodeSink, NodeSource, TreeRef } from "./entry.ts";
import { subtreeEnd } from "./key-range.ts";
import { LevelStack } from "./level-stack.ts";
import type { Child } from "./node-format.ts";
import { LevelRewriter, type ItemChange } from "./level-rewriter.ts";
import { treeKind, treeRefOf } from "./tree-kind.ts";
import { TreeReader } from "./tree-reader.ts";

/** What happens at one key of a tree. */
export interface Change {
  readonly key: Buffer;
  /** First the key and everything below it go. */
  readonly clear?: boolean;
  /**
   * Then this stands at the key (undefined: nothing), given what stood there. Without it, what stood
   * there stays. Returning `before` itself changes nothing.
   */
  readonly merge?: (before: Entry | undefined) => Entry | undefined | Promise<Entry | undefined>;
}

/** The entry stands at its key, whatever stood there. */
export function putEntry(entry: Entry): Change {
  return { key: entry.key, merge: () => entry };
}

/** Nothing stands at the key any more; what is below it stays. */
export function removeEntry(key: Buffer): Change {
  return { key, merge: () => undefined };
}

/** The key and everything below it go. */
export function removeSubtree(key: Buffer): Change {
  return { key, clear: true };
}

/**
 * Changes a tree. The result is the tree that buildTree() makes of the changed entries, address
 * included; read and written are only the nodes on the way to the changes and a few of their
 * neighbours. Changes come in ascending order, one a key; a key below a cleared one may be put again.
 * Memory: a few nodes a level.
 */
export async function updateTree(
  ref: TreeRef,
  changes: AsyncIterable<Change> | Iterable<Change>,
  source: NodeSource,
  sink: NodeSink,
): Promise<TreeRef> {
  if (ref.count === 0) return await buildTree(entriesOf(changes), sink);
  const reader = new TreeReader(ref, source);
  let stream = new LevelRewriter<Entry>({ level: 0, reader, sink }).rewrite(itemChanges(changes));
  for (let level = 1; level <= ref.level; level++) {
    stream = new LevelRewriter<Child>({ level, reader, sink }).rewrite(stream);
  }
  const { key } = present(await reader.last(ref.level), "the top of a tree");
  return await newTop(ref, { key, stream, source, sink });
}

async function* entriesOf(
  changes: AsyncIterable<Change> | Iterable<Change>,
): AsyncGenerator<Entry> {
  for await (const { merge } of changes) {
    const entry = await merge?.(undefined);
    if (entry !== undefined) yield entry;
  }
}

async function* itemChanges(
  changes: AsyncIterable<Change> | Iterable<Change>,
): AsyncGenerator<ItemChange<Entry>> {
  for await (const { key, clear, merge } of changes) {
    yield {
      key,
      ...(clear === true ? { goneUntil: subtreeEnd(key) } : {}),
      ...(merge === undefined ? {} : { merge }),
    };
  }
}

/** What to do about the old top, and what is new beside it. */
interface TopChanges {
  /** Last key of the old top. */
  readonly key: Buffer;
  readonly stream: AsyncIterable<ItemChange<Child>>;
  readonly source: NodeSource;
  readonly sink: NodeSink;
}

/** Builds what stands above the rewritten levels: above the old top there was nothing. */
async function newTop(ref: TreeRef, { key, stream, source, sink }: TopChanges): Promise<TreeRef> {
  const stack = new LevelStack<Entry, Child>(treeKind, sink, ref.level + 1);
  let old: Child | undefined = { ...ref, key };
  for await (const change of stream) {
    const order = Buffer.compare(key, change.key);
    if (old !== undefined && order < 0) await stack.pushChild(old);
    const child =
      change.merge === undefined ? old : await change.merge(order === 0 ? old : undefined);
    if (order <= 0) old = undefined;
    if (child !== undefined) await stack.pushChild(child);
  }
  if (old !== undefined) await stack.pushChild(old);
  const grown = treeRefOf(await stack.finish());
  return grown.address.equals(ref.address) ? ref : await lowered(grown, source);
}

/** Goes down while the top has one child: the top is the lowest level of one node. */
async function lowered(ref: TreeRef, source: NodeSource): Promise<TreeRef> {
  if (ref.level === 0) return ref;
  const { node } = present(await new TreeReader(ref, source).last(ref.level), "the top of a tree");
  if (node.kind === "leaf" || node.items.length > 1) return ref;
  return await lowered(
    treeRefOf({ child: present(node.items[0], "a child"), level: ref.level - 1 }),
    source,
  );
}
