import { createHash } from "node:crypto";
import { isCoded } from "../../base/errors.ts";
import { nextTurn, Turn } from "../../base/next-turn.ts";
import { keyOfPath, parsePath, pathOfKey } from "../../model/paths.ts";
import { Visited } from "../garbage/visited.ts";
import { endsListNode, endsTreeNode } from "../tree/cut.ts";
import {
  commitBytes,
  emptyTree,
  type Entry,
  type ListRef,
  type Newest,
  type Piece,
  type TreeRef,
} from "../tree/entry.ts";
import { isBelow, parentKey } from "../tree/key-range.ts";
import { decodeListNode, encodeListNode, type ListNode } from "../tree/list-format.ts";
import { decodeNode, encodeNode, type Child, type TreeNode } from "../tree/node-format.ts";
import { scan } from "../tree/scan.ts";
import { newerOf } from "../tree/tree-kind.ts";

/** Of trees and of lists: 64 MiB at most for each. What is forgotten is looked at once more. */
const visitedMax = 2 ** 20;
/** Pieces asked about together. */
const piecesMax = 500;

/** What has come so far. */
export interface Arrived {
  /** @throws CodedError `data_loss` when the node has not come */
  node(address: Buffer): Promise<Buffer>;
  /** The first of the pieces whose chunk has not come, or has another length. */
  lacking(pieces: readonly Piece[]): Promise<Piece | undefined>;
}

/** Why a tree is not as trees are. */
class TreeMisfit extends Error {}

export type TreeUse = "root" | "delta";

/** A node as the one above it has it. */
interface Expected extends Omit<Child, "key"> {
  /** Its last key; undefined at the top. */
  readonly key: Buffer | undefined;
  readonly level: number;
  /** No node of its level follows. */
  readonly isLast: boolean;
  /** The node before it, of this level or one above; undefined for the first. */
  readonly before:
    | { readonly address: Buffer; readonly level: number; readonly key: Buffer }
    | undefined;
}

type Place = Pick<Entry, "key" | "type">;

interface ExpectedList extends Omit<ListRef, "digest"> {
  readonly isTop: boolean;
  readonly isLast: boolean;
}

/**
 * Looks whether trees are all there and to the byte what this program would have written: whatever is done with
 * them later may rely on it. What was found right is not looked at again in the same place.
 */
export class TreeCheck {
  private readonly arrived: Arrived;
  private readonly right = new Visited(visitedMax);
  private readonly rightLists = new Visited(visitedMax);
  private readonly turn = new Turn();

  constructor(arrived: Arrived) {
    this.arrived = arrived;
  }

  /** What is wrong with a tree, if anything. */
  async tree(ref: TreeRef, use: TreeUse): Promise<string | undefined> {
    return await this.problemIn(async () => {
      if (ref.count === 0) return;
      await this.node({ ...ref, key: undefined, isLast: true, before: undefined }, use);
      if (use === "delta") await this.directories(ref);
    });
  }

  /** The same of entries that stand in no tree. */
  async entries(entries: readonly Entry[]): Promise<string | undefined> {
    return await this.problemIn(async () => {
      await this.contents(entries);
    });
  }

  private async problemIn(look: () => Promise<void>): Promise<string | undefined> {
    try {
      await look();
      return undefined;
    } catch (error) {
      if (isCoded(error, "data_loss") || error instanceof TreeMisfit) return error.message;
      throw error;
    }
  }

  private async node(expected: Expected, use: TreeUse): Promise<void> {
    if (!this.right.add(placeOf(expected, use))) return;
    if (this.turn.isOver()) await nextTurn();
    const { address, level, before } = expected;
    const bytes = await this.arrived.node(address);
    const node = decodeNode(bytes);
    const problem = contradiction(node, bytes, expected) ?? wrongCut(node, expected);
    if (problem !== undefined) throw misfit("tree", address, problem);
    if (node.kind === "leaf") {
      await this.leaf(node.items, expected, use);
      return;
    }
    let left = before;
    for (const [index, child] of node.items.entries()) {
      const isLast = expected.isLast && index === node.items.length - 1;
      await this.node({ ...child, level: level - 1, isLast, before: left }, use);
      left = { address: child.address, level: level - 1, key: child.key };
    }
  }

  private async leaf(
    entries: readonly Entry[],
    { address, before }: Expected,
    use: TreeUse,
  ): Promise<void> {
    if (before !== undefined && Buffer.compare(before.key, entries[0]!.key) >= 0)
      throw misfit("tree", address, "its keys do not follow those before it");
    let last = use === "root" ? await this.placeAfter(before, entries[0]!) : undefined;
    for (const entry of entries) {
      if (use === "root" && isClearOfAll(entry)) continue;
      const problem =
        use === "root" ? (strayMark(entry) ?? strayEntry(entry, last)) : strayWord(entry);
      if (problem !== undefined) throw new TreeMisfit(`${shown(entry)} ${problem}`);
      last = entry;
    }
    await this.contents(entries);
  }

  /** The entry before the first of a leaf; read only when that must be a directory. */
  private async placeAfter(before: Expected["before"], first: Entry): Promise<Place | undefined> {
    if (before === undefined || !before.key.equals(parentKey(first.key)))
      return before === undefined ? undefined : { key: before.key, type: "dir" };
    let { address } = before;
    for (;;) {
      const last = decodeNode(await this.arrived.node(address)).items.at(-1)!;
      if (!("address" in last)) return last;
      ({ address } = last);
    }
  }

  /** A delta names every directory on the way to what it adds. */
  private async directories(ref: TreeRef): Promise<void> {
    let last: Place | undefined;
    const nodes = { get: (address: Buffer) => this.arrived.node(address) };
    for await (const entry of scan(ref, {}, nodes)) {
      if (this.turn.isOver()) await nextTurn();
      if (entry.type === "none") continue;
      const problem = strayEntry(entry, last);
      if (problem !== undefined) throw new TreeMisfit(`${shown(entry)} ${problem}`);
      last = entry;
    }
  }

  private async contents(entries: readonly Entry[]): Promise<void> {
    const pieces: Piece[] = [];
    for (const { content } of entries)
      if (content.kind === "pieces") pieces.push(...content.pieces);
      else await this.list({ ...content.list, isTop: true, isLast: true });
    await this.pieces(pieces);
  }

  private async list(expected: ExpectedList): Promise<void> {
    if (!this.rightLists.add(placeOfList(expected))) return;
    if (this.turn.isOver()) await nextTurn();
    const { address, level } = expected;
    const bytes = await this.arrived.node(address);
    const node = decodeListNode(bytes);
    const problem = contradictionOfList(node, bytes, expected) ?? wrongCutOfList(node, expected);
    if (problem !== undefined) throw misfit("list", address, problem);
    if (node.kind === "leaf") return await this.pieces(node.items);
    for (const [index, child] of node.items.entries()) {
      const isLast = expected.isLast && index === node.items.length - 1;
      await this.list({ ...child, level: level - 1, isTop: false, isLast });
    }
  }

  private async pieces(pieces: readonly Piece[]): Promise<void> {
    for (let at = 0; at < pieces.length; at += piecesMax) {
      const lacking = await this.arrived.lacking(pieces.slice(at, at + piecesMax));
      if (lacking !== undefined)
        throw new TreeMisfit(
          `chunk ${lacking.hash.toString("hex")} of ${lacking.bytes} bytes is not in it`,
        );
    }
  }
}

function misfit(kind: "tree" | "list", address: Buffer, problem: string): TreeMisfit {
  return new TreeMisfit(`${kind} node ${address.toString("hex")}: ${problem}`);
}

function contradiction(node: TreeNode, bytes: Buffer, expected: Expected): string | undefined {
  if (node.level !== expected.level) return `its level is ${node.level}, not ${expected.level}`;
  const encoded = encodeNode(node);
  if (!encoded.bytes.equals(bytes)) return "it is not written as nodes are";
  let count = 0;
  let length = 0;
  let newest: Newest = emptyTree.newest;
  for (const item of node.items) {
    count += "address" in item ? item.count : 1;
    length += "address" in item ? item.bytes : item.content.bytes;
    newest = newerOf(newest, "address" in item ? item.newest : item);
  }
  const { key = node.items.at(-1)!.key } = expected;
  const isRight =
    encoded.digest.equals(expected.digest) &&
    count === expected.count &&
    length === expected.bytes &&
    Number.isSafeInteger(length) &&
    newest.modifiedMicros === expected.newest.modifiedMicros &&
    newest.commit.equals(expected.newest.commit) &&
    node.items.at(-1)!.key.equals(key);
  return isRight ? undefined : "it contradicts what leads to it";
}

function wrongCut(node: TreeNode, { key, isLast }: Expected): string | undefined {
  if (key === undefined && node.level > 0 && node.items.length < 2)
    return "it is one level too high";
  let keyBytes = 0;
  for (const [index, item] of node.items.entries()) {
    keyBytes += item.key.length;
    const isEnd = endsTreeNode(node.level, item.key, { count: index + 1, keyBytes });
    if (isEnd !== (index === node.items.length - 1) && (isEnd || !isLast)) return wrongEnd;
  }
  return undefined;
}

const wrongEnd = "it does not end where nodes do";

function contradictionOfList(
  node: ListNode,
  bytes: Buffer,
  expected: ExpectedList,
): string | undefined {
  if (node.level !== expected.level) return `its level is ${node.level}, not ${expected.level}`;
  if (!encodeListNode(node.level, node.items).equals(bytes))
    return "it is not written as nodes are";
  let pieces = 0;
  let length = 0;
  for (const item of node.items) {
    pieces += "hash" in item ? 1 : item.pieces;
    length += item.bytes;
  }
  const isRight =
    pieces === expected.pieces && length === expected.bytes && Number.isSafeInteger(length);
  return isRight ? undefined : "it contradicts what leads to it";
}

function wrongCutOfList(node: ListNode, { isTop, isLast }: ExpectedList): string | undefined {
  if (isTop && node.level > 0 && node.items.length < 2) return "it is one level too high";
  for (const [index, item] of node.items.entries()) {
    const hash = "hash" in item ? item.hash : item.address;
    const isEnd = endsListNode(node.level, hash, index + 1);
    if (isEnd !== (index === node.items.length - 1) && (isEnd || !isLast)) return wrongEnd;
  }
  return undefined;
}

/** Roots of the first outputs of some jobs begin with it, in stores of earlier releases: it does nothing there. */
function isClearOfAll({ key, type, reset, clear }: Entry): boolean {
  return key.length === 0 && type === "none" && clear && !reset;
}

/** What stands in a root is a file or a directory, and nothing is done to it. */
function strayMark({ type, reset, clear }: Entry): string | undefined {
  return type === "none" || reset || clear ? "is marked as in a delta" : undefined;
}

function strayWord({ key, type, clear }: Entry): string | undefined {
  if (key.length === 0 && type !== "none") return "is the root";
  return type === "none" && !clear ? "says nothing" : undefined;
}

/**
 * Every directory on the way to an entry is there. That the last entry was right says it of the directories
 * that it is in.
 */
function strayEntry({ key }: Entry, last: Place | undefined): string | undefined {
  if (!isPathKey(key)) return "is no path";
  const parent = parentKey(key);
  if (parent.length === 0) return undefined;
  if (last !== undefined && last.key.equals(parent))
    return last.type === "dir" ? undefined : "is below a file";
  return last !== undefined && isBelow(last.key, parent) ? undefined : "is in no directory";
}

function isPathKey(key: Buffer): boolean {
  const path = pathOfKey(key);
  try {
    return path !== "" && parsePath(path) === path && keyOfPath(path).equals(key);
  } catch (error) {
    if (isCoded(error, "invalid_argument")) return false;
    throw error;
  }
}

function shown({ key }: Entry): string {
  return JSON.stringify(pathOfKey(key).slice(0, 200));
}

/** Where a node was right it is right again, when all is the same that says whether it is. */
function placeOf(expected: Expected, use: TreeUse): Buffer {
  const { key, level, isLast, before, address, digest, count, bytes, newest } = expected;
  const facts = Buffer.alloc(36 + commitBytes);
  facts[0] = use === "root" ? 1 : 0;
  facts[1] = level;
  facts[2] = isLast ? 1 : 0;
  facts[3] = key === undefined ? 1 : 0;
  facts[4] = before === undefined ? 0 : 1 + before.level;
  for (const [index, value] of [count, bytes, newest.modifiedMicros].entries())
    facts.writeBigUInt64LE(BigInt(value), 8 + index * 8);
  newest.commit.copy(facts, 36);
  const hash = createHash("sha256").update(facts).update(address).update(digest);
  if (before !== undefined) hash.update(before.address);
  if (key !== undefined) hash.update(key);
  return hash.digest();
}

function placeOfList({ address, level, pieces, bytes, isTop, isLast }: ExpectedList): Buffer {
  const facts = Buffer.alloc(24);
  facts[0] = level;
  facts[1] = isTop ? 1 : 0;
  facts[2] = isLast ? 1 : 0;
  facts.writeBigUInt64LE(BigInt(pieces), 8);
  facts.writeBigUInt64LE(BigInt(bytes), 16);
  return createHash("sha256").update(facts).update(address).digest();
}
