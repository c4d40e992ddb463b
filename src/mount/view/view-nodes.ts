import type { ViewFile } from "../../model/claimed-task.ts";
import { Refusal } from "../refusal.ts";
import type { Numbers } from "../tree/handles.ts";
import type { ShownView } from "./shown-view.ts";

/** A file or directory of a view that the kernel knows, or that leads to it. */
export class ViewNode {
  readonly id: number;
  readonly parent: ViewNode | undefined;
  readonly name: string;
  /** The path in its view; that of the top is empty. */
  readonly file: ViewFile;
  /** Undefined above all views. */
  readonly view: ShownView | undefined;
  uses = 0;
  /** Of a directory. */
  readonly children: Map<string, ViewNode> | undefined;

  constructor(
    id: number,
    place: { readonly parent: ViewNode | undefined; readonly name: string },
    what: { readonly file: ViewFile; readonly view: ShownView | undefined },
  ) {
    this.id = id;
    this.parent = place.parent;
    this.name = place.name;
    this.file = what.file;
    this.view = what.view;
    this.children = what.file.type === "dir" ? new Map() : undefined;
  }
}

/** A directory that nobody asked the source for. */
export const bareDirectory: ViewFile = { path: "", type: "dir", bytes: 0, digest: "" };

/** All nodes that the kernel knows, and those above them, by numbers that are used once. */
export class ViewNodes {
  readonly root = new ViewNode(
    1,
    { parent: undefined, name: "" },
    { file: bareDirectory, view: undefined },
  );
  private readonly nodes = new Map<number, ViewNode>([[1, this.root]]);
  private readonly ids: Numbers;

  constructor(ids: Numbers) {
    this.ids = ids;
  }

  /** @throws Refusal `ESTALE` for one that is not there any more */
  get(id: number): ViewNode {
    const node = this.nodes.get(id);
    if (node === undefined) throw new Refusal("ESTALE");
    return node;
  }

  /** The node of a name: the known one, since nothing here ever changes. */
  add(parent: ViewNode, name: string, file: ViewFile, view = parent.view): ViewNode {
    const known = parent.children?.get(name);
    if (known !== undefined) return known;
    const node = new ViewNode(this.ids.next(), { parent, name }, { file, view });
    this.nodes.set(node.id, node);
    parent.children?.set(name, node);
    return node;
  }

  forget(id: number, uses: number): void {
    const node = this.nodes.get(id);
    if (node === undefined) return;
    node.uses = Math.max(0, node.uses - uses);
    this.dropUnused(node);
  }

  /** Drops a node that nobody needs, and those above it that nobody needs any more; never a view. */
  dropUnused(node: ViewNode): void {
    for (let at = node; at.uses === 0 && (at.children?.size ?? 0) === 0;) {
      const { parent } = at;
      if (parent?.view === undefined) return;
      this.drop(at);
      at = parent;
    }
  }

  /** Drops a view and all below it, whatever the kernel still has of it. */
  remove(top: ViewNode): void {
    const left = [top];
    for (let node = left.pop(); node !== undefined; node = left.pop()) {
      for (const child of node.children?.values() ?? []) left.push(child);
      this.nodes.delete(node.id);
    }
    this.drop(top);
  }

  private drop(node: ViewNode): void {
    this.nodes.delete(node.id);
    node.parent?.children?.delete(node.name);
  }
}
