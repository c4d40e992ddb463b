import { nextTurn, Turn } from "../../base/next-turn.ts";
import { Visited } from "../garbage/visited.ts";
import type { Content, Entry, NodeSource, TreeRef } from "../tree/entry.ts";
import { decodeListNode } from "../tree/list-format.ts";
import { decodeAt } from "../tree/tree-reader.ts";

/** Nodes read at the same time: a store far away answers slowly, one by one. */
const readersMax = 8;
/** Of nodes, and of chunks of content: 128 MiB at most for each. One that is forgotten comes once more. */
const visitedMax = 2 ** 21;

/** Where content begins. */
export interface ContentRefs {
  readonly trees: readonly TreeRef[];
  readonly entries: readonly Entry[];
}

/** What was not met before: a node with its bytes, or a chunk of content. */
export type NewChunk =
  | { readonly kind: "node"; readonly hash: Buffer; readonly content: Buffer }
  | { readonly kind: "data"; readonly hash: Buffer; readonly bytes: number };

interface Pending {
  readonly kind: "tree" | "list";
  readonly address: Buffer;
  readonly level: number;
}

/** Walks content, and tells of each node and chunk once. */
export class NewChunks {
  private readonly nodes: NodeSource;
  private readonly seenNodes = new Visited(visitedMax);
  private readonly seenData = new Visited(visitedMax);

  constructor(nodes: NodeSource) {
    this.nodes = nodes;
  }

  /** @throws CodedError `data_loss` when a node cannot be read */
  async *of(refs: ContentRefs, signal: AbortSignal): AsyncGenerator<NewChunk, void, void> {
    // Deepest last, so that it holds no more than a few nodes of each level.
    const pending: Pending[] = [];
    for (const tree of refs.trees) if (tree.count > 0) this.addNode("tree", tree, pending);
    for (const { content } of refs.entries) yield* this.dataOf(content, pending);
    const turn = new Turn();
    while (pending.length > 0) {
      signal.throwIfAborted();
      const batch = pending.splice(-readersMax);
      const read = await Promise.all(
        batch.map(async (node) => ({ ...node, content: await this.nodes.get(node.address) })),
      );
      for (const node of read) {
        yield { kind: "node", hash: node.address, content: node.content };
        yield* this.below(node, pending);
      }
      if (turn.isOver()) await nextTurn();
    }
  }

  private *below(
    { kind, address, level, content }: Pending & { readonly content: Buffer },
    pending: Pending[],
  ): Generator<NewChunk, void, void> {
    if (kind === "tree") {
      const node = decodeAt(content, address, level);
      if (node.kind === "leaf")
        for (const item of node.items) yield* this.dataOf(item.content, pending);
      else
        for (const child of node.items)
          this.addNode("tree", { ...child, level: level - 1 }, pending);
      return;
    }
    const node = decodeListNode(content);
    if (node.kind === "inner")
      for (const child of node.items) this.addNode("list", { ...child, level: level - 1 }, pending);
    else
      for (const { hash, bytes } of node.items)
        if (this.seenData.add(hash)) yield { kind: "data", hash, bytes };
  }

  private *dataOf(content: Content, pending: Pending[]): Generator<NewChunk, void, void> {
    if (content.kind === "list") return this.addNode("list", content.list, pending);
    for (const { hash, bytes } of content.pieces)
      if (this.seenData.add(hash)) yield { kind: "data", hash, bytes };
  }

  private addNode(
    kind: Pending["kind"],
    { address, level }: { address: Buffer; level: number },
    pending: Pending[],
  ): void {
    if (this.seenNodes.add(address)) pending.push({ kind, address, level });
  }
}
