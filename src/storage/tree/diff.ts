import { sameContent } from "./content-format.ts";
import type { Entry, NodeSource, TreeRef } from "./entry.ts";
import { isBefore, type KeyEnd } from "./key-range.ts";
import type { Child } from "./node-format.ts";
import { readNode } from "./tree-reader.ts";

/** A key at which two trees differ; without `before` it was added, without `after` removed. */
export interface Difference {
  readonly key: Buffer;
  readonly before?: Entry;
  readonly after?: Entry;
}

/** Which keys are compared, and where the nodes of the second tree are when they are elsewhere. */
export interface DiffOptions {
  /** The first key. Default: the first of all. */
  readonly from?: Buffer;
  /** Where to end, exclusive. Default: nowhere. */
  readonly end?: KeyEnd;
  /** Default: where the nodes of the first tree are. */
  readonly sourceOfB?: NodeSource;
}

/**
 * What differs between two trees, in order of keys. Times and commits do not count. Equal subtrees are
 * told by their digests and not read: the cost follows the change.
 */
export async function* diff(
  a: TreeRef,
  b: TreeRef,
  source: NodeSource,
  { from = Buffer.alloc(0), end = null, sourceOfB = source }: DiffOptions = {},
): AsyncGenerator<Difference, void, void> {
  const range = { from, end };
  const [left, right] = [new Frontier(a, source, range), new Frontier(b, sourceOfB, range)];
  for (;;) {
    const [before, after] = [left.head, right.head];
    if (before === undefined && after === undefined) return;
    if (await skipOrOpen(left, right)) continue;
    const order = compareHeads(before, after);
    if (order <= 0) left.step();
    if (order >= 0) right.step();
    const difference = differenceOf(
      order <= 0 ? before : undefined,
      order >= 0 ? after : undefined,
    );
    if (difference !== undefined) yield difference;
  }
}

/** True when something was done about nodes at the heads; false when both heads are entries, or one is and the other nothing. */
async function skipOrOpen(left: Frontier, right: Frontier): Promise<boolean> {
  const [before, after] = [left.head, right.head];
  const rank = Math.max(before?.rank ?? 0, after?.rank ?? 0);
  if (rank === 0) return false;
  if (
    before?.kind === "node" &&
    after?.kind === "node" &&
    before.child.digest.equals(after.child.digest)
  ) {
    left.step();
    right.step();
    return true;
  }
  await Promise.all(
    [left, right].filter(({ head }) => head?.rank === rank).map(async (side) => await side.open()),
  );
  return true;
}

function compareHeads(before: Head | undefined, after: Head | undefined): number {
  if (before?.kind !== "entry") return 1;
  if (after?.kind !== "entry") return -1;
  return Buffer.compare(before.entry.key, after.entry.key);
}

function differenceOf(left: Head | undefined, right: Head | undefined): Difference | undefined {
  const before = left?.kind === "entry" ? left.entry : undefined;
  const after = right?.kind === "entry" ? right.entry : undefined;
  if (before !== undefined && after !== undefined) {
    return sameEntry(before, after) ? undefined : { key: before.key, before, after };
  }
  if (before !== undefined) return { key: before.key, before };
  return after === undefined ? undefined : { key: after.key, after };
}

/** True when two entries of one key say the same, times and commits aside. */
export function sameEntry(a: Entry, b: Entry): boolean {
  return (
    a.type === b.type &&
    a.reset === b.reset &&
    a.clear === b.clear &&
    sameContent(a.content, b.content)
  );
}

/** The next thing of a tree: an entry (rank 0), or a node of level rank-1 that is not opened yet. */
type Head =
  | { readonly kind: "entry"; readonly rank: 0; readonly entry: Entry }
  | {
      readonly kind: "node";
      readonly rank: number;
      readonly child: Pick<Child, "address" | "digest">;
    };

/** What is left of a tree, opened only where it was asked to be. One path in memory. */
class Frontier {
  readonly #source: NodeSource;
  readonly #range: { readonly from: Buffer; readonly end: KeyEnd };
  /** The heads to come, innermost level last, each level with its next head last. */
  readonly #levels: Head[][];

  constructor(
    ref: TreeRef,
    source: NodeSource,
    range: { readonly from: Buffer; readonly end: KeyEnd },
  ) {
    this.#source = source;
    this.#range = range;
    this.#levels = ref.count === 0 ? [] : [[{ kind: "node", rank: ref.level + 1, child: ref }]];
  }

  get head(): Head | undefined {
    return this.#levels.at(-1)?.at(-1);
  }

  /** Goes past the head. */
  step(): void {
    this.#levels.at(-1)?.pop();
    while (this.#levels.at(-1)?.length === 0) this.#levels.pop();
  }

  /** Puts what is in the node at the head in its place. */
  async open(): Promise<void> {
    const { head } = this;
    if (head?.kind !== "node") return;
    const level = head.rank - 1;
    const node = await readNode(head.child.address, level, this.#source);
    this.step();
    const { from, end } = this.#range;
    const heads: Head[] = [];
    for (const item of node.items) {
      // The key of a node is its last: the one that reaches the end may still begin before it.
      if (Buffer.compare(item.key, from) >= 0 && (level > 0 || isBefore(item.key, end)))
        heads.push(
          "address" in item
            ? { kind: "node", rank: level, child: item }
            : { kind: "entry", rank: 0, entry: item },
        );
      if (!isBefore(item.key, end)) break;
    }
    if (heads.length > 0) this.#levels.push(heads.reverse());
  }
}
