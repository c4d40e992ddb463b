import { present } from "../../base/assert.ts";
import type { Clock } from "../../base/clock.ts";
import type { ViewFile } from "../../model/claimed-task.ts";
import { joinPath } from "../../model/paths.ts";
import { Refusal } from "../refusal.ts";
import type { ContentCache } from "../tree/content-cache.ts";
import type { Numbers } from "../tree/handles.ts";
import type { ScratchSpace } from "../tree/scratch.ts";
import { filesIn, nameOf } from "../view/open-names.ts";
import type { ShownView } from "../view/shown-view.ts";
import { bareDirectory } from "../view/view-nodes.ts";
import type { UserAndGroup } from "../volume.ts";
import { OutputFile } from "./output-file.ts";
import { OutputNode, type NodePlace, type NodeStart } from "./output-node.ts";

/** What a tree is made of. */
export interface TreeDeps {
  /** What is inherited. */
  readonly view: ShownView;
  readonly scratch: ScratchSpace;
  readonly cache: ContentCache;
  readonly clock: Clock;
  /** Whose inherited files are. */
  readonly owner: UserAndGroup;
  /** Where nodes get their numbers. */
  readonly numbers: Numbers;
  /** All nodes of the mount, by number. */
  readonly nodes: Map<number, OutputNode>;
}

/** As the time of a file that was laid out: no command can leave one with such a time by writing to it. */
const inheritedMicros = Date.UTC(2000, 0, 1) * 1_000;

/** An output that begins as a view and is changed: what was changed is here, the rest is looked up. */
export class OutputTree {
  readonly deps: TreeDeps;
  readonly top: OutputNode;
  private isClosed = false;

  constructor(deps: TreeDeps) {
    this.deps = deps;
    this.top = this.make(this.inherited(bareDirectory));
  }

  /** What a name leads to; undefined when there is nothing. @throws Refusal */
  async find(
    directory: OutputNode,
    name: string,
    signal: AbortSignal,
  ): Promise<OutputNode | undefined> {
    const known = directory.children.get(name);
    if (known !== undefined) return known;
    const { origin } = directory;
    if (origin === undefined || directory.hidden.has(name)) return undefined;
    const found = await this.deps.view.find(joinPath(origin.path, name), signal);
    return found === undefined ? undefined : this.inherit(directory, name, found);
  }

  /** Everything in a directory, inherited names first; what is made meanwhile may be missing. @throws Refusal */
  async *list(
    directory: OutputNode,
    signal: AbortSignal,
  ): AsyncGenerator<NodePlace & { readonly node: OutputNode }, void, void> {
    // Those that lead to what they always led to come with the inherited names, and never twice.
    const others = [...directory.children].filter(
      ([name, node]) =>
        directory.hidden.has(name) || !isInherited(node, { parent: directory, name }),
    );
    const { origin } = directory;
    if (origin !== undefined) {
      const seen = new Set(others.map(([name]) => name));
      for await (const file of filesIn(this.deps.view, origin.path, signal)) {
        const name = nameOf(file);
        if (seen.has(name)) continue;
        const node = this.inherit(directory, name, file);
        if (node !== undefined) yield { parent: directory, name, node };
      }
    }
    for (const [name] of others) {
      const node = directory.children.get(name);
      if (node !== undefined) yield { parent: directory, name, node };
    }
  }

  /** Something new. */
  create(place: NodePlace, start: Omit<NodeStart, "origin" | "modifiedMicros">): OutputNode {
    this.checkOpen();
    const modifiedMicros = this.deps.clock.nowMicros();
    const node = this.make({ ...start, modifiedMicros });
    this.addName(node, place);
    return node;
  }

  /** One more name, which nothing else has. */
  addName(node: OutputNode, place: NodePlace): void {
    node.places.push(place);
    place.parent.children.set(place.name, node);
    this.changed(place.parent);
    node.touch();
  }

  /** Takes one of its names away; without any it stays for those who have it open. */
  removeName(node: OutputNode, place: NodePlace): void {
    const { parent, name } = place;
    // As long as it has the name: all that is above it is changed too.
    node.touch();
    if (node.origin !== undefined && isInherited(node, place))
      parent.hidden.set(name, node.origin.type);
    parent.children.delete(name);
    node.places = node.places.filter((one) => one.parent !== parent || one.name !== name);
    this.changed(parent);
  }

  /** Whether nothing is in a directory. @throws Refusal */
  async isEmpty(directory: OutputNode, signal: AbortSignal): Promise<boolean> {
    if (directory.children.size > 0) return false;
    for await (const { node } of this.list(directory, signal)) {
      this.dropUnused(node);
      return false;
    }
    return true;
  }

  /** The content of a file, to be changed. */
  fileOf(node: OutputNode): OutputFile {
    this.checkOpen();
    if (node.kind !== "file") throw new Refusal("EINVAL");
    const { origin } = node;
    const base = origin === undefined ? undefined : this.deps.view.contentOf(origin);
    node.file ??= new OutputFile(base, this.deps);
    return node.file;
  }

  /** Forgets a node that can be found again, or that nobody can find. */
  dropUnused(node: OutputNode): void {
    for (let at: OutputNode | undefined = node; at !== undefined && this.isUnused(at);) {
      const place: NodePlace | undefined = at.places[0];
      this.drop(at);
      at = place?.parent;
    }
  }

  /** Forgets all of it, but not what was written. */
  close(): void {
    this.isClosed = true;
    for (const [id, { tree }] of this.deps.nodes) if (tree === this) this.deps.nodes.delete(id);
  }

  private isUnused(node: OutputNode): boolean {
    if (node === this.top || node.uses > 0 || node.opens > 0 || node.children.size > 0)
      return false;
    return !node.isChanged || node.places.length === 0;
  }

  private drop(node: OutputNode): void {
    this.deps.nodes.delete(node.id);
    for (const { parent, name } of node.places) parent.children.delete(name);
    // The room that it took is free again; nobody waits for that.
    node.file?.close().catch(() => undefined);
  }

  private changed(directory: OutputNode): void {
    directory.modifiedMicros = this.deps.clock.nowMicros();
    directory.touch();
  }

  /** The node of an inherited name, unless the name leads elsewhere by now. */
  private inherit(directory: OutputNode, name: string, file: ViewFile): OutputNode | undefined {
    const known = directory.children.get(name);
    if (known !== undefined || directory.hidden.has(name)) return known;
    this.checkOpen();
    const node = this.make(this.inherited(file));
    node.places.push({ parent: directory, name });
    directory.children.set(name, node);
    return node;
  }

  private inherited(origin: ViewFile): NodeStart {
    const isDirectory = origin.type === "dir";
    return {
      kind: origin.type,
      origin,
      mode: isDirectory ? 0o777 : 0o666,
      owner: this.deps.owner,
      modifiedMicros: isDirectory ? this.deps.clock.nowMicros() : inheritedMicros,
    };
  }

  private make(start: NodeStart): OutputNode {
    const node = new OutputNode(this.deps.numbers.next(), this, start);
    this.deps.nodes.set(node.id, node);
    return node;
  }

  /** What comes too late would stay for ever. */
  private checkOpen(): void {
    if (this.isClosed) throw new Refusal("ESTALE");
  }
}

/** Whether it has the very name that it was inherited with. */
function isInherited({ origin }: OutputNode, { parent, name }: NodePlace): boolean {
  return parent.origin !== undefined && origin?.path === joinPath(parent.origin.path, name);
}

/** The path of a node in its output, by its first name. */
export function pathOf(node: OutputNode): string {
  const names: string[] = [];
  for (let at = node; at.places.length > 0;) {
    const { parent, name } = present(at.places[0], "a place");
    names.push(name);
    at = parent;
  }
  return names.toReversed().join("/");
}
