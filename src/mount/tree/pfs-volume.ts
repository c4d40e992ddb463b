import { Refusal } from "../refusal.ts";
import type {
  Change,
  Found,
  Listed,
  Missing,
  Opened,
  OpenMode,
  Place,
  Space,
  Volume,
  WritePlace,
} from "../volume.ts";
import { Catalog } from "./catalog.ts";
import { Directories } from "./directories.ts";
import { extendedOf } from "./extended.ts";
import { isFile, isFolder, type FileNode, type Node } from "./node.ts";
import { OpenFiles } from "./open-files.ts";
import { Rewriter } from "./rewriter.ts";
import type { VolumeDeps } from "./volume-deps.ts";

/** Repos of a daemon as a file system. */
export class PfsVolume implements Volume {
  private readonly deps: VolumeDeps;
  private readonly catalog: Catalog;
  private readonly files: OpenFiles;
  private readonly directories: Directories;
  private readonly rewriter: Rewriter;

  constructor(deps: VolumeDeps) {
    this.deps = deps;
    this.catalog = new Catalog(deps);
    this.files = new OpenFiles(deps, this.catalog);
    this.directories = new Directories(deps, this.catalog);
    this.rewriter = new Rewriter(deps, this.catalog, this.files);
  }

  async lookup(place: Place, signal: AbortSignal): Promise<Found | Missing> {
    const parent = this.deps.nodes.get(place.directory);
    const found = await this.catalog.find(parent, place.name, signal);
    return "missingMs" in found ? found : this.used(found);
  }

  forget(node: number, uses: number): void {
    this.deps.nodes.forget(node, uses);
  }

  async attributes(id: number, signal: AbortSignal): Promise<Found> {
    const node = this.deps.nodes.get(id);
    await this.catalog.refresh(node, signal);
    return this.catalog.found(node);
  }

  async change(id: number, change: Change, signal: AbortSignal): Promise<Found> {
    const node = this.deps.nodes.get(id);
    // Owners, modes and times are not kept: programs that copy them need not know, nor wait.
    if (change.sizeBytes !== undefined || !isFile(node)) await this.catalog.refresh(node, signal);
    if (!this.catalog.isWritable(node)) throw new Refusal("EROFS");
    if (change.sizeBytes !== undefined) {
      await this.files.resize(this.file(id), change.sizeBytes, signal);
      await this.catalog.refresh(node, signal);
    }
    return this.catalog.found(node);
  }

  async makeDirectory(place: Place, signal: AbortSignal): Promise<Found> {
    await this.rewriter.makeDirectory(place, signal);
    const found = await this.lookup(place, signal);
    if ("missingMs" in found) throw new Refusal("ENOENT");
    return found;
  }

  async remove(place: Place, kind: "file" | "dir", signal: AbortSignal): Promise<void> {
    await this.rewriter.remove(place, kind, signal);
  }

  async rename(from: Place, to: Place & { replace: boolean }, signal: AbortSignal): Promise<void> {
    await this.rewriter.rename(from, to, signal);
  }

  async create(
    place: Place,
    mode: OpenMode & { exclusive: boolean },
    signal: AbortSignal,
  ): Promise<Found & Opened> {
    const parent = this.deps.nodes.get(place.directory);
    const known = this.deps.nodes.child(parent, place.name);
    if (known !== undefined && isFile(known) && known.what.draft !== undefined) {
      if (mode.exclusive) throw new Refusal("EEXIST");
      const opened = await this.files.open(known, mode, signal);
      return { ...this.used(known), ...opened };
    }
    const node = await this.rewriter.create(place, signal);
    const opened = this.files.create(node);
    return { ...this.used(node), ...opened };
  }

  async open(id: number, mode: OpenMode, signal: AbortSignal): Promise<Opened> {
    return await this.files.open(this.file(id), mode, signal);
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

  async save(handle: number, signal: AbortSignal): Promise<void> {
    await this.files.save(handle, signal);
  }

  /** Sends all that was written, as far as that is possible: nobody waits for it. */
  async saveAll(): Promise<void> {
    await this.files.sendAll();
  }

  async release(handle: number): Promise<void> {
    await this.files.release(handle);
  }

  async openDirectory(id: number, signal: AbortSignal): Promise<Opened> {
    const node = this.deps.nodes.get(id);
    await this.catalog.refresh(node, signal);
    return this.directories.open(node);
  }

  async list(
    handle: number,
    start: number,
    take: (listed: Listed) => boolean,
    signal: AbortSignal,
  ): Promise<void> {
    await this.directories.list(handle, start, take, signal);
  }

  releaseDirectory(handle: number): void {
    this.directories.release(handle);
  }

  async space(signal: AbortSignal): Promise<Space> {
    const { client, remote } = this.deps;
    const repos = await remote.ask("list repos", signal, () => client.repos.list({ signal }));
    const usedBytes = repos.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const freeBytes = await this.deps.freeBytes();
    return { totalBytes: usedBytes + freeBytes, freeBytes };
  }

  async extended(id: number, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    return await extendedOf(this.deps.nodes.get(id), this.catalog, signal);
  }

  async isWritable(id: number, signal: AbortSignal): Promise<boolean> {
    const node = this.deps.nodes.get(id);
    if (isFolder(node)) await this.catalog.refresh(node, signal);
    return this.catalog.isWritable(node);
  }

  private used(node: Node): Found {
    node.uses++;
    return this.catalog.found(node);
  }

  private file(id: number): FileNode {
    const node = this.deps.nodes.get(id);
    if (!isFile(node)) throw new Refusal("EISDIR");
    return node;
  }
}
