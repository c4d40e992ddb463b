import { Refusal } from "../refusal.ts";
import type { NewPlace, Place } from "../volume.ts";
import type { NodePlace, NodeStart, OutputNode } from "./output-node.ts";

/** As file systems of disks have it: what a task can write to one it can write to the other. */
const newNameBytesMax = 255;

/** Names in outputs, as they come and go. */
export class OutputNames {
  private readonly nodes: ReadonlyMap<number, OutputNode>;

  constructor(nodes: ReadonlyMap<number, OutputNode>) {
    this.nodes = nodes;
  }

  /** @throws Refusal `ESTALE` for one that is not there any more */
  get(id: number): OutputNode {
    const node = this.nodes.get(id);
    if (node === undefined) throw new Refusal("ESTALE");
    return node;
  }

  directory(id: number): OutputNode {
    const node = this.get(id);
    if (node.kind !== "dir") throw new Refusal("ENOTDIR");
    return node;
  }

  /** Something new. @throws Refusal `EEXIST` */
  async make(
    { mode, owner, ...place }: NewPlace,
    start: Pick<NodeStart, "kind" | "target">,
    signal: AbortSignal,
  ): Promise<OutputNode> {
    const free = await this.free(place, signal);
    return free.parent.tree.create(free, { ...start, mode, owner });
  }

  /** Gives something one more name. @throws Refusal `EEXIST` */
  async add(id: number, place: Place, signal: AbortSignal): Promise<OutputNode> {
    const node = this.get(id);
    if (node.kind === "dir") throw new Refusal("EPERM");
    const free = await this.free(place, signal);
    if (free.parent.tree !== node.tree) throw new Refusal("EXDEV");
    if (node.places.length === 0) throw new Refusal("ENOENT");
    node.tree.addName(node, free);
    return node;
  }

  async remove(place: Place, kind: "file" | "dir", signal: AbortSignal): Promise<void> {
    const { node, ...at } = await this.taken(place, signal);
    await checkRemovable(node, kind, signal);
    node.tree.removeName(node, at);
    node.tree.dropUnused(node);
  }

  async rename(from: Place, to: Place & { replace: boolean }, signal: AbortSignal): Promise<void> {
    const { node, ...source } = await this.taken(from, signal);
    const { tree } = node;
    const target: NodePlace = { parent: this.directory(to.directory), name: to.name };
    checkName(to.name);
    if (target.parent.tree !== tree) throw new Refusal("EXDEV");
    const replaced = await tree.find(target.parent, target.name, signal);
    if (replaced !== undefined && !to.replace) throw new Refusal("EEXIST");
    // Two names of one file: nothing is to be done, as everywhere.
    if (replaced === node) return;
    if (replaced !== undefined) {
      await checkRemovable(replaced, node.kind === "dir" ? "dir" : "file", signal);
      tree.removeName(replaced, target);
      tree.dropUnused(replaced);
    }
    tree.removeName(node, source);
    tree.addName(node, target);
  }

  private async taken(
    place: Place,
    signal: AbortSignal,
  ): Promise<NodePlace & { node: OutputNode }> {
    const parent = this.directory(place.directory);
    const node = await parent.tree.find(parent, place.name, signal);
    if (node === undefined) throw new Refusal("ENOENT");
    return { parent, name: place.name, node };
  }

  private async free({ directory, name }: Place, signal: AbortSignal): Promise<NodePlace> {
    checkName(name);
    const parent = this.directory(directory);
    if ((await parent.tree.find(parent, name, signal)) !== undefined) throw new Refusal("EEXIST");
    return { parent, name };
  }
}

function checkName(name: string): void {
  if (Buffer.byteLength(name) > newNameBytesMax) throw new Refusal("ENAMETOOLONG");
}

async function checkRemovable(
  node: OutputNode,
  kind: "file" | "dir",
  signal: AbortSignal,
): Promise<void> {
  if (kind === "file" && node.kind === "dir") throw new Refusal("EISDIR");
  if (kind === "file") return;
  if (node.kind !== "dir") throw new Refusal("ENOTDIR");
  if (!(await node.tree.isEmpty(node, signal))) throw new Refusal("ENOTEMPTY");
}
