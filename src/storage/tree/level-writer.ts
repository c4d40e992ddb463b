import type { NodeSink } from "./entry.ts";

/** What tells one kind of tree from another: where its nodes end, and how they are stored. */
export interface NodeKind<Leaf, Child> {
  /** What an item adds to the `weight` that endsNode() sees. */
  weigh(item: Leaf | Child): number;
  /** True when a node of `count` items ends after this one. */
  endsNode(level: number, last: Leaf | Child, sum: { count: number; weight: number }): boolean;
  /** Encodes and puts a node: entries at level 0, children above. */
  store(level: number, items: readonly (Leaf | Child)[], sink: NodeSink): Promise<Child>;
}

/** The open node of one level: takes items in order and ends where the kind says. */
export class LevelWriter<Leaf, Child> {
  readonly #kind: NodeKind<Leaf, Child>;
  readonly #level: number;
  readonly #sink: NodeSink;
  #items: (Leaf | Child)[] = [];
  #weight = 0;

  constructor(kind: NodeKind<Leaf, Child>, level: number, sink: NodeSink) {
    this.#kind = kind;
    this.#level = level;
    this.#sink = sink;
  }

  get isEmpty(): boolean {
    return this.#items.length === 0;
  }

  /** True when the node ends with this item: seal() must follow. */
  add(item: Leaf | Child): boolean {
    this.#items.push(item);
    this.#weight += this.#kind.weigh(item);
    return this.#kind.endsNode(this.#level, item, {
      count: this.#items.length,
      weight: this.#weight,
    });
  }

  /** Stores the open node, which is not empty, and opens the next. */
  async seal(): Promise<Child> {
    const items = this.#items;
    this.discard();
    return await this.#kind.store(this.#level, items, this.#sink);
  }

  /** Forgets the open node and opens the next. */
  discard(): void {
    this.#items = [];
    this.#weight = 0;
  }
}
