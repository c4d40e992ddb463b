import type { Clock } from "../../base/clock.ts";
import { joinPath } from "../../model/paths.ts";
import { Refusal } from "../refusal.ts";
import type { ContentCache } from "../tree/content-cache.ts";
import type { Content } from "../tree/content.ts";
import { Handles, type Numbers } from "../tree/handles.ts";
import { ReadAhead, slowly } from "../tree/read-ahead.ts";
import {
  nameBytesMax,
  type Found,
  type Listed,
  type Missing,
  type Opened,
  type OpenMode,
  type Place,
  type Space,
  type Volume,
} from "../volume.ts";
import { OpenNames } from "./open-names.ts";
import type { ShownView } from "./shown-view.ts";
import { bareDirectory, ViewNodes, type ViewNode } from "./view-nodes.ts";

/** What is shown never changes. */
const foreverMs = 24 * 3_600_000;
interface OpenFile {
  readonly content: Content;
  readonly ahead: ReadAhead;
}

export interface ViewVolumeOptions {
  readonly cache: ContentCache;
  readonly clock: Clock;
  /** Of nodes and handles, beginning with 2: shared with who has others at the same mount. */
  readonly numbers: Numbers;
  /** What else is at the top, by name. */
  readonly others: (name: string) => Found | undefined;
}

/** Views as directories, read-only, each under a name that is used once. */
export class ViewVolume implements Volume {
  private readonly nodes: ViewNodes;
  private readonly cache: ContentCache;
  private readonly clock: Clock;
  private readonly others: ViewVolumeOptions["others"];
  private readonly modifiedMicros: number;
  private readonly files: Handles<OpenFile>;
  private readonly directories: Handles<OpenNames>;

  constructor(options: ViewVolumeOptions) {
    this.nodes = new ViewNodes(options.numbers);
    this.files = new Handles(options.numbers);
    this.directories = new Handles(options.numbers);
    this.others = options.others;
    this.cache = options.cache;
    this.clock = options.clock;
    this.modifiedMicros = options.clock.nowMicros();
  }

  /** Shows a view at `name`. The return value takes it away. */
  show(name: string, view: ShownView): () => void {
    const top = this.nodes.add(this.nodes.root, name, bareDirectory, view);
    return () => {
      this.nodes.remove(top);
    };
  }

  async lookup({ directory, name }: Place, signal: AbortSignal): Promise<Found | Missing> {
    const parent = this.nodes.get(directory);
    if (parent.children === undefined) throw new Refusal("ENOTDIR");
    if (Buffer.byteLength(name) > nameBytesMax) throw new Refusal("ENAMETOOLONG");
    const other = parent.view === undefined ? this.others(name) : undefined;
    if (other !== undefined) return other;
    const known = parent.children.get(name) ?? (await this.find(parent, name, signal));
    // A name of a view that is not there may be one that comes.
    if (known === undefined) return { missingMs: parent.view === undefined ? 0 : foreverMs };
    known.uses++;
    return this.found(known);
  }

  forget(node: number, uses: number): void {
    this.nodes.forget(node, uses);
  }

  async attributes(id: number): Promise<Found> {
    return await Promise.resolve(this.found(this.nodes.get(id)));
  }

  async open(id: number, { write }: OpenMode): Promise<Opened> {
    const { view, file } = this.nodes.get(id);
    if (write) throw new Refusal("EROFS");
    if (view === undefined || file.type === "dir") throw new Refusal("EISDIR");
    const content = view.contentOf(file);
    const ahead = new ReadAhead({ cache: this.cache, clock: this.clock }, content, slowly);
    return await Promise.resolve({ handle: this.files.add({ content, ahead }), isCacheGood: true });
  }

  async read(
    handle: number,
    { offset, bytes }: { offset: number; bytes: number },
    signal: AbortSignal,
  ): Promise<readonly Uint8Array[]> {
    const { content, ahead } = this.files.get(handle);
    const range = { start: offset, end: offset + bytes };
    // What is asked for goes first.
    const read = this.cache.read(content, range, signal);
    ahead.note(range);
    return await read;
  }

  async release(handle: number): Promise<void> {
    this.files.get(handle).ahead.close();
    this.files.delete(handle);
    await Promise.resolve();
  }

  async openDirectory(id: number): Promise<Opened> {
    const names = new OpenNames(this.nodes, this.nodes.get(id));
    return await Promise.resolve({ handle: this.directories.add(names), isCacheGood: true });
  }

  async list(
    handle: number,
    start: number,
    take: (listed: Listed) => boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const names = this.directories.get(handle);
    for (let position = start; ; position++) {
      const node = await names.at(position, signal);
      if (node === undefined) return;
      const listed = { ...this.found(node), name: node.name, next: position + 1 };
      // Its answer may forget the node at once.
      node.uses++;
      if (take(listed)) continue;
      this.nodes.forget(node.id, 1);
      return;
    }
  }

  releaseDirectory(handle: number): void {
    this.directories.delete(handle);
  }

  async space(): Promise<Space> {
    return await Promise.resolve({ totalBytes: 0, freeBytes: 0 });
  }

  async extended(): Promise<ReadonlyMap<string, string>> {
    return await Promise.resolve(new Map());
  }

  async isWritable(): Promise<boolean> {
    return await Promise.resolve(false);
  }

  async change(): Promise<never> {
    return await refused();
  }

  async makeDirectory(): Promise<never> {
    return await refused();
  }

  async remove(): Promise<never> {
    return await refused();
  }

  async rename(): Promise<never> {
    return await refused();
  }

  async create(): Promise<never> {
    return await refused();
  }

  async write(): Promise<never> {
    return await refused();
  }

  async save(): Promise<void> {
    await Promise.resolve();
  }

  private async find(
    parent: ViewNode,
    name: string,
    signal: AbortSignal,
  ): Promise<ViewNode | undefined> {
    const found = await parent.view?.find(joinPath(parent.file.path, name), signal);
    return found === undefined ? undefined : this.nodes.add(parent, name, found);
  }

  private found({ id: node, file }: ViewNode): Found {
    const kind = file.type;
    const attributes = {
      node,
      kind,
      sizeBytes: file.bytes,
      modifiedMicros: this.modifiedMicros,
      mode: kind === "dir" ? 0o555 : 0o444,
    };
    return { attributes, nameMs: foreverMs, attributesMs: foreverMs };
  }
}

async function refused(): Promise<never> {
  return await Promise.reject(new Refusal("EROFS"));
}
