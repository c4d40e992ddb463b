import type { Entry, NodeSource, TreeRef } from "./entry.ts";
import { isBefore, lowerBound, subtreeEnd, type KeyEnd } from "./key-range.ts";
import { decodeAt, readNode } from "./tree-reader.ts";
import type { TreeNode } from "./node-format.ts";

/** Which part of a tree to read; all parts at once are their intersection. */
export interface ScanRange {
  /** From this key on. */
  readonly from?: Buffer;
  /** From behind this key on. */
  readonly after?: Buffer;
  /** What lies below this directory, itself excluded; the empty key is the root. */
  readonly below?: Buffer;
}

/** Leaves read ahead of the caller, once it has read a few. */
const leavesAheadMax = 8;

/**
 * The entries of a range in order of their keys. Reads ahead the more the further the caller goes: a
 * caller who stops early costs little, one who reads all waits little.
 */
export async function* scan(
  ref: TreeRef,
  range: ScanRange,
  source: NodeSource,
): AsyncGenerator<Entry, void, void> {
  for await (const run of scanRuns(ref, range, source)) yield* run;
}

/** As scan(), a leaf's worth at a time: for those who would wait thousands of times for nothing. */
export async function* scanRuns(
  ref: TreeRef,
  range: ScanRange,
  source: NodeSource,
): AsyncGenerator<readonly Entry[], void, void> {
  if (ref.count === 0) return;
  const bounds = boundsOf(range);
  const top = { address: ref.address, level: ref.level };
  for await (const leaf of readAhead(leavesOf(top, bounds, source))) {
    if (leaf.kind !== "leaf") return;
    const { items } = leaf;
    const start = lowerBound(items, bounds.start, bounds.isPast);
    const end = bounds.end === null ? items.length : lowerBound(items, bounds.end);
    if (start < end) yield items.slice(start, end);
    if (end < items.length) return;
  }
}

interface Bounds {
  readonly start: Buffer;
  /** The start itself is out. */
  readonly isPast: boolean;
  readonly end: KeyEnd;
}

function boundsOf({ from, after, below }: ScanRange): Bounds {
  let start = from ?? Buffer.alloc(0);
  let isPast = false;
  for (const past of [after, below]) {
    // Nothing of a tree is before the empty key, but in deltas it stands for the root.
    if (past === undefined || Buffer.compare(past, start) < 0) continue;
    start = past;
    isPast = true;
  }
  return { start, isPast, end: below === undefined ? null : subtreeEnd(below) };
}

/** A leaf whose bytes are on their way: the last few that were read ahead are often never decoded. */
interface ComingLeaf {
  readonly address: Buffer;
  readonly bytes: Promise<Buffer>;
}

/** The leaves that may hold keys of the range, each as a call that begins to read it. */
async function* leavesOf(
  at: { address: Buffer; level: number },
  bounds: Bounds,
  source: NodeSource,
): AsyncGenerator<() => ComingLeaf, void, void> {
  if (at.level === 0) {
    yield () => ({ address: at.address, bytes: source.get(at.address) });
    return;
  }
  const node = await readNode(at.address, at.level, source);
  for (let i = lowerBound(node.items, bounds.start, bounds.isPast); i < node.items.length; i++) {
    const child = node.items[i];
    const previous = node.items[i - 1];
    if (child === undefined || !("address" in child)) return;
    if (previous !== undefined && !isBefore(previous.key, bounds.end)) return;
    yield* leavesOf({ address: child.address, level: at.level - 1 }, bounds, source);
  }
}

/** Starts reading before it is asked: one leaf at first, twice as many with each that is taken. */
async function* readAhead(
  leaves: AsyncGenerator<() => ComingLeaf, void, void>,
): AsyncGenerator<TreeNode, void, void> {
  const started: ComingLeaf[] = [];
  let isDone = false;
  try {
    for (let wanted = 1; ; wanted = Math.min(2 * wanted, leavesAheadMax)) {
      while (!isDone && started.length < wanted) {
        const next = await leaves.next();
        if (next.done === true) isDone = true;
        else started.push(quiet(next.value()));
      }
      const leaf = started.shift();
      if (leaf === undefined) return;
      yield decodeAt(await leaf.bytes, leaf.address, 0);
    }
  } finally {
    await leaves.return();
  }
}

/** A failure is the taker's; when nobody takes it, nobody minds. */
function quiet(leaf: ComingLeaf): ComingLeaf {
  leaf.bytes.catch(() => undefined);
  return leaf;
}
