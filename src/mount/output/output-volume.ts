import type { Clock } from "../../base/clock.ts";
import { Refusal } from "../refusal.ts";
import type { ContentCache } from "../tree/content-cache.ts";
import { Handles, type Numbers } from "../tree/handles.ts";
import { Listing } from "../tree/listing.ts";
import type {
  Change,
  Found,
  LinkVolume,
  Listed,
  Missing,
  NewPlace,
  Opened,
  OpenMode,
  Place,
  Space,
  Volume,
  WritePlace,
} from "../volume.ts";
import { OpenOutputs } from "./open-outputs.ts";
import { foreverMs, foundOf, setIdBits, usedOf } from "./output-attributes.ts";
import { OutputLinks } from "./output-links.ts";
import { OutputNames } from "./output-names.ts";
import type { NodePlace, OutputNode } from "./output-node.ts";

const noSignal = new AbortController().signal;

type Entry = NodePlace & { readonly node: OutputNode };

export interface OutputVolumeDeps {
  readonly cache: ContentCache;
  readonly clock: Clock;
  readonly numbers: Numbers;
  /** All nodes, by number. */
  readonly nodes: Map<number, OutputNode>;
  /** Room for what is written. */
  readonly space: () => Promise<Space>;
}

/** Outputs as directories that can be changed in every way; each is a tree of its own. */
export class OutputVolume implements Volume {
  readonly links: LinkVolume;
  private readonly deps: OutputVolumeDeps;
  private readonly names: OutputNames;
  private readonly files: OpenOutputs;
  private readonly directories: Handles<Listing<Entry>>;

  constructor(deps: OutputVolumeDeps) {
    this.deps = deps;
    this.names = new OutputNames(deps.nodes);
    this.links = new OutputLinks(this.names);
    this.files = new OpenOutputs(deps);
    this.directories = new Handles(deps.numbers);
  }

  async lookup({ directory, name }: Place, signal: AbortSignal): Promise<Found | Missing> {
    const parent = this.names.directory(directory);
    const found = await parent.tree.find(parent, name, signal);
    return found === undefined ? { missingMs: foreverMs } : usedOf(found);
  }

  forget(id: number, uses: number): void {
    const node = this.deps.nodes.get(id);
    if (node === undefined) return;
    node.uses = Math.max(0, node.uses - uses);
    node.tree.dropUnused(node);
  }

  async attributes(id: number): Promise<Found> {
    return await Promise.resolve(foundOf(this.names.get(id)));
  }

  async change(id: number, change: Change): Promise<Found> {
    const node = this.names.get(id);
    const { sizeBytes, mode, uid, gid, modifiedMicros } = change;
    if (sizeBytes !== undefined) await this.files.resize(node, sizeBytes);
    if (uid !== undefined || gid !== undefined) {
      node.owner = { uid: uid ?? node.owner.uid, gid: gid ?? node.owner.gid };
      if (node.kind === "file") node.mode &= ~setIdBits;
    }
    if (mode !== undefined) node.mode = mode;
    if (modifiedMicros !== undefined)
      node.modifiedMicros = modifiedMicros === "now" ? this.deps.clock.nowMicros() : modifiedMicros;
    node.touch();
    return foundOf(node);
  }

  async makeDirectory(place: NewPlace, signal: AbortSignal): Promise<Found> {
    return usedOf(await this.names.make(place, { kind: "dir" }, signal));
  }

  async remove(place: Place, kind: "file" | "dir", signal: AbortSignal): Promise<void> {
    await this.names.remove(place, kind, signal);
  }

  async rename(from: Place, to: Place & { replace: boolean }, signal: AbortSignal): Promise<void> {
    await this.names.rename(from, to, signal);
  }

  async create(
    place: NewPlace,
    mode: OpenMode & { exclusive: boolean },
    signal: AbortSignal,
  ): Promise<Found & Opened> {
    const parent = this.names.directory(place.directory);
    const known = await parent.tree.find(parent, place.name, signal);
    if (known !== undefined && mode.exclusive) throw new Refusal("EEXIST");
    const node = known ?? (await this.names.make(place, { kind: "file" }, signal));
    const opened = await this.files.open(node, mode);
    return { ...usedOf(node), ...opened };
  }

  async open(id: number, mode: OpenMode): Promise<Opened> {
    return await this.files.open(this.names.get(id), mode);
  }

  async read(
    handle: number,
    { offset, bytes }: { offset: number; bytes: number },
    signal: AbortSignal,
  ): Promise<readonly Uint8Array[]> {
    return await this.files.read(handle, { start: offset, end: offset + bytes }, signal);
  }

  async write(handle: number, place: WritePlace, content: Uint8Array): Promise<void> {
    await this.files.write(handle, place, content);
  }

  /** What outlives a task is stored at its end. */
  async save(): Promise<void> {
    await Promise.resolve();
  }

  async release(handle: number): Promise<void> {
    await Promise.resolve(this.files.release(handle));
  }

  async openDirectory(id: number): Promise<Opened> {
    const node = this.names.directory(id);
    // Not the signal of one question: the list goes on with the next one.
    const begin = (): AsyncGenerator<Entry, void, void> => node.tree.list(node, noSignal);
    const listing = new Listing(begin, (unused: Entry) => {
      unused.node.tree.dropUnused(unused.node);
    });
    return await Promise.resolve({ handle: this.directories.add(listing), isCacheGood: false });
  }

  async list(
    handle: number,
    start: number,
    take: (listed: Listed) => boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const takeEntry = ({ node, name }: Entry, next: number): boolean => {
      // Its answer may forget the node at once.
      node.uses++;
      if (take({ ...foundOf(node), name, next })) return true;
      node.uses--;
      return false;
    };
    await this.directories.get(handle).read(start, takeEntry, signal);
  }

  releaseDirectory(handle: number): void {
    this.directories.find(handle)?.close();
    this.directories.delete(handle);
  }

  async space(): Promise<Space> {
    return await this.deps.space();
  }

  async extended(): Promise<ReadonlyMap<string, string>> {
    return await Promise.resolve(new Map());
  }

  async isWritable(): Promise<boolean> {
    return await Promise.resolve(true);
  }
}
