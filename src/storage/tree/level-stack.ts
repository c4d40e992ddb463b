import { assert, present } from "../../base/assert.ts";
import type { NodeSink } from "./entry.ts";
import { LevelWriter, type NodeKind } from "./level-writer.ts";

/** The top node of a finished stack. */
export interface Top<Child> {
  readonly child: Child;
  readonly level: number;
}

interface Level<Leaf, Child> {
  readonly writer: LevelWriter<Leaf, Child>;
  /** Nodes of this level that were sealed, and the last of them. */
  sealed: number;
  last: Child | undefined;
}

/**
 * Builds a tree from its items in order, one open node a level in memory. The top is the lowest level
 * of one node. Starting above level 0 (`base`), the items are the nodes of the level below.
 */
export class LevelStack<Leaf, Child> {
  readonly #kind: NodeKind<Leaf, Child>;
  readonly #sink: NodeSink;
  readonly #base: number;
  readonly #levels: Level<Leaf, Child>[] = [];
  #pushed = 0;
  /** The item, while a stack that starts above level 0 has but one. */
  #only: Child | undefined;

  constructor(kind: NodeKind<Leaf, Child>, sink: NodeSink, base = 0) {
    this.#kind = kind;
    this.#sink = sink;
    this.#base = base;
  }

  /** Adds an entry; only to a stack that starts at level 0. To be waited for only when it ends a node. */
  pushLeaf(item: Leaf): Promise<void> | undefined {
    assert(this.#base === 0, "leaves stand at level 0");
    this.#pushed++;
    return this.#at(0).writer.add(item) ? this.#sealUp(0) : undefined;
  }

  /** Adds a node of the level below; only to a stack that starts above level 0. */
  async pushChild(item: Child): Promise<void> {
    assert(this.#base > 0, "children stand above level 0");
    this.#only = this.#pushed++ === 0 ? item : undefined;
    await this.#push(this.#base, item);
  }

  /**
   * Reopens the last node of a level: `items` are those in front of the one that is reopened below
   * it. `hasOthers`: more nodes of this level stand before it.
   */
  reopen(level: number, items: readonly (Leaf | Child)[], hasOthers: boolean): void {
    const { writer } = this.#at(level);
    for (const item of items) assert(!writer.add(item), "a node ends at its last item only");
    this.#at(level).sealed = hasOthers ? 1 : 0;
  }

  /** Seals what is open; undefined when nothing was added. */
  async finish(): Promise<Top<Child> | undefined> {
    if (this.#pushed === 0) return undefined;
    if (this.#only !== undefined) return { child: this.#only, level: this.#base - 1 };
    for (let level = this.#base; ; level++) {
      const child = this.#at(level).writer.isEmpty ? undefined : await this.#seal(level);
      const { sealed, last } = this.#at(level);
      if (sealed === 1) return { child: present(last, "the only node of a level"), level };
      if (child !== undefined) await this.#push(level + 1, child);
    }
  }

  async #push(level: number, item: Leaf | Child): Promise<void> {
    if (this.#at(level).writer.add(item)) await this.#sealUp(level);
  }

  /** Seals a level that is full, and each above that is full with it. */
  async #sealUp(from: number): Promise<void> {
    let level = from;
    while (this.#at(level + 1).writer.add(await this.#seal(level))) level++;
  }

  async #seal(level: number): Promise<Child> {
    const at = this.#at(level);
    at.last = await at.writer.seal();
    at.sealed++;
    return at.last;
  }

  #at(level: number): Level<Leaf, Child> {
    return (this.#levels[level] ??= {
      writer: new LevelWriter(this.#kind, level, this.#sink),
      sealed: 0,
      last: undefined,
    });
  }
}
