import type { TreeNode } from "./node-format.ts";

/** Nodes that were decoded lately, the most recently used up to a number. They must not be changed. */
export class DecodedNodes {
  private readonly nodesMax: number;
  private readonly kept = new Map<string, TreeNode>();

  constructor(nodesMax: number) {
    this.nodesMax = nodesMax;
  }

  get(address: Buffer): TreeNode | undefined {
    const name = address.toString("latin1");
    const node = this.kept.get(name);
    if (node === undefined) return undefined;
    this.kept.delete(name);
    this.kept.set(name, node);
    return node;
  }

  /** Keeps a node, at the cost of the least recently used. */
  set(address: Buffer, node: TreeNode): void {
    this.kept.set(address.toString("latin1"), node);
    if (this.kept.size > this.nodesMax) this.kept.delete(this.kept.keys().next().value ?? "");
  }
}
