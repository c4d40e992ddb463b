import { nextTurn, Turn } from "../../base/next-turn.ts";
import type { Content, Entry, NodeSource, TreeRef } from "../tree/entry.ts";
import { readListNode } from "../tree/list-format.ts";
import { readNode } from "../tree/tree-reader.ts";

/** Nodes read at the same time: a store far away answers slowly, one by one. */
const readersMax = 8;

/** Is told what a reference leads to. */
export interface Marker {
  /** A node is about to be read; false when what is below it has been seen before. */
  node(address: Buffer): boolean;
  /** A piece of a file, once for each time it is met. */
  piece(hash: Buffer, bytes: number): void;
}

interface Pending {
  readonly kind: "tree" | "list";
  readonly address: Buffer;
  readonly level: number;
}

/**
 * Walks everything trees and entries lead to: nodes, lists and pieces.
 *
 * @throws CodedError `data_loss` when a node cannot be read
 */
export async function markRefs(
  refs: { readonly trees: readonly TreeRef[]; readonly entries: readonly Entry[] },
  source: NodeSource,
  marker: Marker,
  signal: AbortSignal,
): Promise<void> {
  const walk = new Walk(source, marker);
  for (const tree of refs.trees) if (tree.count > 0) walk.addNode("tree", tree);
  for (const entry of refs.entries) walk.addContent(entry.content);
  await walk.run(signal);
}

class Walk {
  private readonly source: NodeSource;
  private readonly marker: Marker;
  /** Deepest last, so that it holds no more than a few nodes of each level. */
  private readonly pending: Pending[] = [];

  constructor(source: NodeSource, marker: Marker) {
    this.source = source;
    this.marker = marker;
  }

  addNode(kind: Pending["kind"], { address, level }: { address: Buffer; level: number }): void {
    if (this.marker.node(address)) this.pending.push({ kind, address, level });
  }

  addContent(content: Content): void {
    if (content.kind === "list") return this.addNode("list", content.list);
    for (const { hash, bytes } of content.pieces) this.marker.piece(hash, bytes);
  }

  async run(signal: AbortSignal): Promise<void> {
    const turn = new Turn();
    while (this.pending.length > 0) {
      signal.throwIfAborted();
      const batch = this.pending.splice(-readersMax);
      await Promise.all(batch.map(async (node) => await this.visit(node)));
      if (turn.isOver()) await nextTurn();
    }
  }

  private async visit({ kind, address, level }: Pending): Promise<void> {
    if (kind === "tree") {
      const node = await readNode(address, level, this.source);
      if (node.kind === "leaf") for (const { content } of node.items) this.addContent(content);
      else for (const child of node.items) this.addNode("tree", { ...child, level: level - 1 });
      return;
    }
    const node = await readListNode(address, level, this.source);
    if (node.kind === "leaf")
      for (const { hash, bytes } of node.items) this.marker.piece(hash, bytes);
    else for (const child of node.items) this.addNode("list", { ...child, level: level - 1 });
  }
}
