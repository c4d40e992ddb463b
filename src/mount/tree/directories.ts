import type { Listed, Opened } from "../volume.ts";
import type { Catalog } from "./catalog.ts";
import { Handles } from "./handles.ts";
import { Listing } from "./listing.ts";
import { isFolder, type Node } from "./node.ts";
import type { VolumeDeps } from "./volume-deps.ts";

const noSignal = new AbortController().signal;

/** Directories that programs have open. */
export class Directories {
  private readonly deps: VolumeDeps;
  private readonly catalog: Catalog;
  private readonly handles = new Handles<Listing<Node>>();

  constructor(deps: VolumeDeps, catalog: Catalog) {
    this.deps = deps;
    this.catalog = catalog;
  }

  open(node: Node): Opened {
    // Not the signal of one question: the list goes on with the next one.
    const begin = (): AsyncGenerator<Node, void, void> => this.catalog.list(node, noSignal);
    const listing = new Listing(begin, (unused: Node) => {
      this.deps.nodes.dropUnused(unused);
    });
    const isCacheGood = isFolder(node) && node.what.isFinal && !node.what.tree.follows;
    return { handle: this.handles.add(listing), isCacheGood };
  }

  /** See Volume. Names that come while it is read may be missing, as in any file system. */
  async list(
    handle: number,
    start: number,
    take: (listed: Listed) => boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const takeNode = (node: Node, next: number): boolean => {
      const isTaken = take({ ...this.catalog.found(node), name: node.name, next });
      if (isTaken) node.uses++;
      return isTaken;
    };
    await this.handles.get(handle).read(start, takeNode, signal);
  }

  release(handle: number): void {
    this.handles.find(handle)?.close();
    this.handles.delete(handle);
  }
}
