import { Refusal } from "../refusal.ts";
import type { Listed, Opened } from "../volume.ts";
import type { Catalog } from "./catalog.ts";
import { Handles } from "./handles.ts";
import { isFolder, type Node } from "./node.ts";
import type { VolumeDeps } from "./volume-deps.ts";

interface OpenDirectory {
  readonly node: Node;
  /** What comes, from `position` on; undefined when it has not begun. */
  coming: AsyncGenerator<Node, void, void> | undefined;
  /** How many names have been given. */
  position: number;
  /** One that was brought, and not taken. */
  next: Node | undefined;
}

const noSignal = new AbortController().signal;

/** Directories that programs have open. */
export class Directories {
  private readonly deps: VolumeDeps;
  private readonly catalog: Catalog;
  private readonly handles = new Handles<OpenDirectory>();

  constructor(deps: VolumeDeps, catalog: Catalog) {
    this.deps = deps;
    this.catalog = catalog;
  }

  open(node: Node): Opened {
    const directory = { node, coming: undefined, position: 0, next: undefined };
    const isCacheGood = isFolder(node) && node.what.isFinal && !node.what.tree.follows;
    return { handle: this.handles.add(directory), isCacheGood };
  }

  /** See Volume. Names that come while it is read may be missing, as in any file system. */
  async list(
    handle: number,
    start: number,
    take: (listed: Listed) => boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const directory = this.handles.get(handle);
    if (start < directory.position || directory.coming === undefined) this.begin(directory);
    while (directory.position < start) {
      const skipped = await this.next(directory, signal);
      if (skipped === undefined) return;
      this.deps.nodes.dropUnused(skipped);
      directory.position++;
    }
    for (;;) {
      const node = await this.next(directory, signal);
      if (node === undefined) return;
      const next = directory.position + 1;
      if (!take({ ...this.catalog.found(node), name: node.name, next })) {
        directory.next = node;
        return;
      }
      node.uses++;
      directory.position = next;
    }
  }

  release(handle: number): void {
    const directory = this.handles.find(handle);
    if (directory?.next !== undefined) this.deps.nodes.dropUnused(directory.next);
    this.handles.delete(handle);
  }

  private begin(directory: OpenDirectory): void {
    // Not the signal of one question: the list goes on with the next one.
    directory.coming = this.catalog.list(directory.node, noSignal);
    directory.position = 0;
    directory.next = undefined;
  }

  private async next(directory: OpenDirectory, signal: AbortSignal): Promise<Node | undefined> {
    if (signal.aborted) throw new Refusal("EINTR");
    const kept = directory.next;
    directory.next = undefined;
    if (kept !== undefined) return kept;
    const { value } = await directory.coming!.next();
    return value ?? undefined;
  }
}
