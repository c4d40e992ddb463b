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
  const builder = new TreeBuilder(sink);
  await builder.add(entries);
  return await builder.finish();
}

/** The same for entries that come in several parts. */
export class TreeBuilder {
  private readonly stack: LevelStack<Entry, Child>;
  private readonly turn = new Turn();
  private previous: Buffer | undefined;

  constructor(sink: NodeSink) {
    this.stack = new LevelStack(treeKind, sink);
  }

  async add(entries: AsyncIterable<Entry> | Iterable<Entry>): Promise<void> {
    if (Symbol.asyncIterator in entries) {
      for await (const entry of entries) await this.push(entry);
      return;
    }
    for (const entry of entries) {
      const pushed = this.push(entry);
      if (pushed !== undefined) await pushed;
    }
  }

  async finish(): Promise<TreeRef> {
    return treeRefOf(await this.stack.finish());
  }

  /** What is to be waited for, if anything is: most entries end no node. */
  private push(entry: Entry): Promise<void> | undefined {
    const { previous } = this;
    assert(
      previous === undefined || Buffer.compare(previous, entry.key) < 0,
      "entries come in order",
    );
    this.previous = entry.key;
    const sealing = this.stack.pushLeaf(entry);
    if (!this.turn.isOver()) return sealing;
    return (sealing ?? Promise.resolve()).then(nextTurn);
  }
}
