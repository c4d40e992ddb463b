import { assert, present } from "../../base/assert.ts";
import { nextTurn, Turn } from "../../base/next-turn.ts";
import {
  emptyContent,
  inlinePiecesMax,
  type Content,
  type ListRef,
  type NodeSink,
  type NodeSource,
  type Piece,
} from "./entry.ts";
import { LevelStack } from "./level-stack.ts";
import { listKind, readListNode, type ListChild } from "./list-format.ts";
import { piecesOf } from "./pieces-of.ts";

type ListStack = LevelStack<Piece, ListChild>;

/** The content made of these pieces: in the entry itself up to `inlinePiecesMax`, else as a list. */
export async function buildList(
  pieces: AsyncIterable<Piece> | Iterable<Piece>,
  sink: NodeSink,
): Promise<Content> {
  const first: Piece[] = [];
  let stack: ListStack | undefined;
  const turn = new Turn();
  for await (const piece of pieces) {
    if (turn.isOver()) await nextTurn();
    if (stack !== undefined) await stack.pushLeaf(piece);
    else if (first.push(piece) > inlinePiecesMax) {
      stack = new LevelStack(listKind, sink);
      for (const early of first) await stack.pushLeaf(early);
    }
  }
  return stack === undefined ? inlineContent(first) : await listContent(stack);
}

/**
 * The list with more pieces at its end: the same as if it had been built at once. Reads and writes
 * one node a level, and what the new pieces fill.
 */
export async function appendToList(
  list: ListRef,
  pieces: AsyncIterable<Piece> | Iterable<Piece>,
  source: NodeSource,
  sink: NodeSink,
): Promise<Content> {
  const stack = await reopened(list, source, sink);
  const turn = new Turn();
  for await (const piece of pieces) {
    if (turn.isOver()) await nextTurn();
    await stack.pushLeaf(piece);
  }
  return await listContent(stack);
}

/** Content `a` and then content `b`: the same as if their pieces had been built into one. */
export async function concatContents(
  a: Content,
  b: Content,
  source: NodeSource,
  sink: NodeSink,
): Promise<Content> {
  return await concatAll([a, b], source, sink);
}

/** As concatContents() for any number. */
export async function concatAll(
  contents: readonly Content[],
  source: NodeSource,
  sink: NodeSink,
): Promise<Content> {
  const [first = emptyContent, ...others] = contents.filter(({ bytes }) => bytes > 0);
  if (others.length === 0) return first;
  const pieces = fewPieces([first, ...others]);
  if (pieces !== undefined) return inlineContent(pieces);
  if (first.kind === "list")
    return await appendToList(first.list, allPieces(others, source), source, sink);
  return await buildList(allPieces([first, ...others], source), sink);
}

/** The pieces of contents that fit into an entry together; undefined when they do not. */
function fewPieces(contents: readonly Content[]): Piece[] | undefined {
  const all: Piece[] = [];
  for (const content of contents) {
    if (content.kind === "list" || all.length + content.pieces.length > inlinePiecesMax)
      return undefined;
    all.push(...content.pieces);
  }
  return all;
}

async function* allPieces(contents: readonly Content[], source: NodeSource): AsyncGenerator<Piece> {
  for (const content of contents) {
    for await (const { piece } of piecesOf(content, {}, source)) yield piece;
  }
}

/** A stack as it stood when the last piece of the list had just been added. */
async function reopened(list: ListRef, source: NodeSource, sink: NodeSink): Promise<ListStack> {
  const stack: ListStack = new LevelStack(listKind, sink);
  let address = list.address;
  for (let level = list.level; ; level--) {
    const node = await readListNode(address, level, source);
    const hasOthers = level < list.level;
    if (node.kind === "leaf") {
      stack.reopen(level, [], hasOthers);
      for (const piece of node.items) await stack.pushLeaf(piece);
      return stack;
    }
    stack.reopen(level, node.items.slice(0, -1), hasOthers);
    address = present(node.items.at(-1), "the last item of a node").address;
  }
}

function inlineContent(pieces: readonly Piece[]): Content {
  if (pieces.length === 0) return emptyContent;
  return { kind: "pieces", pieces, bytes: pieces.reduce((sum, { bytes }) => sum + bytes, 0) };
}

async function listContent(stack: ListStack): Promise<Content> {
  const { child, level } = present(await stack.finish(), "the top of a list");
  const { address, pieces, bytes } = child;
  assert(pieces > inlinePiecesMax, "few pieces stand in the entry");
  return { kind: "list", list: { address, digest: address, level, pieces, bytes }, bytes };
}
