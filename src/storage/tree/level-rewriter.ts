import { assert } from "../../base/assert.ts";
import { nextTurn, Turn } from "../../base/next-turn.ts";
import type { Entry, NodeSink } from "./entry.ts";
import { isBefore, keyAfter, laterEnd, type KeyEnd } from "./key-range.ts";
import { LevelWriter } from "./level-writer.ts";
import type { Child } from "./node-format.ts";
import { treeKind } from "./tree-kind.ts";
import type { Located, TreeReader } from "./tree-reader.ts";

/** What happens to the items of one level at one key. */
export interface ItemChange<Item> {
  readonly key: Buffer;
  /** The old items from the key up to here go. */
  readonly goneUntil?: KeyEnd;
  /** What stands at the key afterwards, given what stood there and did not go; absent: just that. */
  readonly merge?: (before: Item | undefined) => Item | undefined | Promise<Item | undefined>;
}

/**
 * Applies changes to the items of one level, and says in the same form what became of its nodes:
 * changes to the items of the level above.
 *
 * It cuts anew from the start of the node where a change falls, until a new node ends where an old
 * one did: from there on old and new are the same up to the next change.
 */
export class LevelRewriter<Item extends Entry | Child> {
  readonly #level: number;
  readonly #reader: TreeReader;
  readonly #writer: LevelWriter<Entry, Child>;
  readonly #turn = new Turn();
  #changes: AsyncIterator<ItemChange<Item>> | undefined;
  /** The next change; undefined after the last. */
  #change: ItemChange<Item> | undefined;
  /** Old items before this end are gone; undefined before the first such change. */
  #gone: KeyEnd | undefined;
  /** The open node is not, item by item, the old one that is being read. */
  #isTouched = false;
  /** Old nodes that were read and do not stay, not yet said: a new node that ends before them may still come. */
  #replaced: { from: Buffer; until: KeyEnd } | undefined;

  constructor({ level, reader, sink }: { level: number; reader: TreeReader; sink: NodeSink }) {
    this.#level = level;
    this.#reader = reader;
    this.#writer = new LevelWriter(treeKind, level, sink);
  }

  /** Call once. The tree must not be empty. */
  async *rewrite(
    changes: AsyncIterable<ItemChange<Item>>,
  ): AsyncGenerator<ItemChange<Child>, void, void> {
    this.#changes = changes[Symbol.asyncIterator]();
    try {
      await this.#advance();
      while (this.#change !== undefined) {
        const { key } = this.#change;
        let old =
          (await this.#reader.from(this.#level, key)) ?? (await this.#reader.last(this.#level));
        while (old !== undefined) {
          // In step: no new node can end before those replaced so far.
          if (this.#writer.isEmpty) yield* this.#sayReplaced();
          for await (const node of this.#nodesFrom(old)) yield* this.#standing(node);
          old = await this.#nextToReplace(old);
        }
        yield* this.#sayReplaced();
      }
    } finally {
      await this.#changes.return?.();
    }
  }

  /** The nodes that end among the items of the old one, and all that remain if nothing follows it. */
  async *#nodesFrom(old: Located): AsyncGenerator<Child> {
    this.#isTouched = !this.#writer.isEmpty;
    this.#replace(old.key, keyAfter(old.key));
    // Items of one level are all of one type; the reader cannot know which.
    for (const item of old.node.items as readonly Item[]) {
      if (this.#turn.isOver()) await nextTurn();
      if (this.#orderOf(item) < 0) yield* this.#addNewBefore(item.key);
      const change = this.#orderOf(item) === 0 ? this.#change : undefined;
      const stays = this.#isGone(item.key) ? undefined : item;
      // Most items see no change: these are not waited for.
      const kept = change === undefined ? stays : await this.#take(change, item);
      this.#isTouched ||= kept !== item;
      if (kept !== undefined && this.#writer.add(kept)) yield* this.#seal();
    }
    if (this.#goesOnAfter(old.key) && this.#gone !== undefined)
      this.#replace(keyAfter(old.key), this.#gone);
    if (!(await this.#isEnd(old))) return;
    yield* this.#addNewBefore(null);
    if (!this.#writer.isEmpty) yield* this.#seal();
  }

  /** Ends the open node. One that is the old one again is not stored again. */
  async *#seal(): AsyncGenerator<Child> {
    if (this.#isTouched) {
      yield await this.#writer.seal();
      return;
    }
    this.#writer.discard();
    this.#replaced = undefined;
  }

  async *#addNewBefore(end: KeyEnd): AsyncGenerator<Child> {
    while (this.#change !== undefined && isBefore(this.#change.key, end)) {
      if (this.#turn.isOver()) await nextTurn();
      const added = await this.#take(this.#change, undefined);
      if (added === undefined) continue;
      this.#isTouched = true;
      if (this.#writer.add(added)) yield await this.#writer.seal();
    }
  }

  /** Where the next change falls: before an item (-1), on it (0) or after it. */
  #orderOf(item: Item): number {
    return this.#change === undefined ? 1 : Buffer.compare(this.#change.key, item.key);
  }

  async #take(change: ItemChange<Item>, old: Item | undefined): Promise<Item | undefined> {
    if (change.goneUntil !== undefined) this.#gone = laterEnd(this.#gone, change.goneUntil);
    const before = old === undefined || this.#isGone(old.key) ? undefined : old;
    const after = change.merge === undefined ? before : await change.merge(before);
    await this.#advance();
    return after;
  }

  /** Remembers that the old nodes of a range do not stay; ranges come in order, without gaps. */
  #replace(from: Buffer, until: KeyEnd): void {
    this.#replaced = {
      from: this.#replaced?.from ?? from,
      until: laterEnd(this.#replaced?.until, until),
    };
  }

  /** Says that a new node stands, in its place among what was replaced. */
  *#standing(node: Child): Generator<ItemChange<Child>> {
    const order = this.#replaced === undefined ? 1 : Buffer.compare(this.#replaced.from, node.key);
    if (order < 0) yield* this.#sayReplaced();
    if (order === 0) yield* this.#sayReplaced(node);
    else yield { key: node.key, merge: () => node };
  }

  *#sayReplaced(node?: Child): Generator<ItemChange<Child>> {
    if (this.#replaced === undefined) return;
    const { from, until } = this.#replaced;
    this.#replaced = undefined;
    yield { key: from, goneUntil: until, merge: () => node };
  }

  #isGone(key: Buffer): boolean {
    return this.#gone !== undefined && isBefore(key, this.#gone);
  }

  /** True when old items after this key may be gone. */
  #goesOnAfter(key: Buffer): boolean {
    return this.#isGone(keyAfter(key));
  }

  /** True when no old item after this node stays. */
  async #isEnd(old: Located): Promise<boolean> {
    if (old.isLast) return true;
    if (this.#gone === undefined || !this.#goesOnAfter(old.key)) return false;
    return this.#gone === null || (await this.#reader.from(this.#level, this.#gone)) === undefined;
  }

  /** The node to go on with; undefined when old and new are in step again, or at the end. */
  async #nextToReplace(old: Located): Promise<Located | undefined> {
    if (this.#gone !== undefined && this.#goesOnAfter(old.key)) {
      return this.#gone === null ? undefined : await this.#reader.from(this.#level, this.#gone);
    }
    return this.#writer.isEmpty ? undefined : await this.#reader.past(this.#level, old.key);
  }

  async #advance(): Promise<void> {
    const previous = this.#change;
    const next = await this.#changes?.next();
    this.#change = next?.done === true ? undefined : next?.value;
    if (previous === undefined || this.#change === undefined) return;
    assert(Buffer.compare(previous.key, this.#change.key) < 0, "changes come in order, one a key");
  }
}
