import { present } from "../../base/assert.ts";
import { Refusal } from "../refusal.ts";
import { isFile, Node, type What } from "./node.ts";

/** All nodes that the kernel knows, and those above them. */
export class NodeTable {
  readonly root: Node;
  private readonly nodes = new Map<number, Node>();
  private lastId = 1;

  constructor(what: What) {
    this.root = new Node(1, what, undefined, "");
    this.root.uses = 1;
    this.nodes.set(1, this.root);
  }

  /** @throws Refusal `ESTALE` for one that was forgotten */
  get(id: number): Node {
    const node = this.nodes.get(id);
    if (node === undefined) throw new Refusal("ESTALE");
    return node;
  }

  /** The node that a name leads to, when it is known. */
  child(parent: Node, name: string): Node | undefined {
    return parent.children?.get(name);
  }

  /** A node of its own, which its name leads to from now on. */
  add(parent: Node, name: string, what: What): Node {
    const node = new Node(++this.lastId, what, parent, name);
    this.nodes.set(node.id, node);
    this.place(node, parent, name);
    return node;
  }

  /** Its name does not lead to it any more. */
  detach(node: Node): void {
    const siblings = node.parent?.children;
    if (siblings?.get(node.name) === node) siblings.delete(node.name);
    this.dropUnused(node.parent);
  }

  /** Gives a node another name. */
  move(node: Node, parent: Node, name: string): void {
    const before = node.parent;
    const siblings = before?.children;
    if (siblings?.get(node.name) === node) siblings.delete(node.name);
    this.place(node, parent, name);
    this.dropUnused(before);
  }

  forget(id: number, uses: number): void {
    const node = this.nodes.get(id);
    if (node === undefined) return;
    node.uses = Math.max(0, node.uses - uses);
    this.dropUnused(node);
  }

  /** Forgets a node that nobody needs, and those above it that nobody needs any more. */
  dropUnused(node: Node | undefined): void {
    for (let at = node; at !== undefined && isUnused(at); at = at.parent) {
      this.nodes.delete(at.id);
      const siblings = present(at.parent, "the parent of a node that is dropped").children;
      if (siblings?.get(at.name) === at) siblings.delete(at.name);
    }
  }

  private place(node: Node, parent: Node, name: string): void {
    node.parent = parent;
    node.name = name;
    parent.children ??= new Map();
    parent.children.set(name, node);
  }
}

function isUnused(node: Node): boolean {
  if (node.parent === undefined || node.uses > 0 || (node.children?.size ?? 0) > 0) return false;
  return !isFile(node) || (node.what.opens === 0 && node.what.draft === undefined);
}
