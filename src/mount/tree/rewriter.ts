import { randomHex } from "../../base/random.ts";
import type { CommitName } from "../../model/commit.ts";
import { joinPath } from "../../model/paths.ts";
import { Refusal } from "../refusal.ts";
import type { Place } from "../volume.ts";
import type { Catalog } from "./catalog.ts";
import {
  File,
  isFile,
  isFolder,
  pathOf,
  type FileNode,
  type FolderNode,
  type Node,
} from "./node.ts";
import type { OpenFiles } from "./open-files.ts";
import type { VolumeDeps } from "./volume-deps.ts";

/** A name in a directory of an open commit. */
interface Spot {
  readonly parent: FolderNode;
  readonly name: string;
  readonly path: string;
  readonly commit: CommitName;
}

/** What changes which names there are in open commits. */
export class Rewriter {
  private readonly deps: VolumeDeps;
  private readonly catalog: Catalog;
  private readonly files: OpenFiles;

  constructor(deps: VolumeDeps, catalog: Catalog, files: OpenFiles) {
    this.deps = deps;
    this.catalog = catalog;
    this.files = files;
  }

  /** A file that is not in the commit yet. */
  async create(place: Place, signal: AbortSignal): Promise<FileNode> {
    const { parent, name, commit } = await this.spot(place, signal);
    const { clock, nodes } = this.deps;
    const info = { sizeBytes: 0, modifiedMicros: clock.nowMicros(), digest: "" };
    const { tree } = parent.what;
    const checkedMs = clock.monotonicMs();
    const file = new File({ tree, commit, isFinal: false, info, checkedMs });
    this.catalog.names.add(parent, name);
    return nodes.add(parent, name, file) as FileNode;
  }

  async makeDirectory(place: Place, signal: AbortSignal): Promise<void> {
    const { parent, name, path, commit } = await this.spot(place, signal);
    await this.ask(`make directory ${path}`, commit, signal, () =>
      this.deps.client.files.makeDirectory(commit, path, { signal }),
    );
    this.catalog.names.add(parent, name);
  }

  async remove(place: Place, kind: "file" | "dir", signal: AbortSignal): Promise<void> {
    const spot = await this.spot(place, signal);
    const node = await this.existing(spot, signal);
    await this.checkRemovable(node, spot, kind, signal);
    await this.takeAway(node, spot, signal);
  }

  async rename(from: Place, to: Place & { replace: boolean }, signal: AbortSignal): Promise<void> {
    const source = await this.spot(from, signal);
    const target = await this.spot(to, signal);
    const isSameCommit =
      source.commit.repo === target.commit.repo && source.commit.id === target.commit.id;
    if (!isSameCommit || source.parent.what.tree !== target.parent.what.tree)
      throw new Refusal("EXDEV");
    const node = await this.existing(source, signal);
    if (source.path === target.path) return;
    const found = await this.catalog.find(target.parent, target.name, signal);
    if (!("missingMs" in found)) {
      if (!to.replace) throw new Refusal("EEXIST");
      await this.checkRemovable(found, target, isFile(node) ? "file" : "dir", signal);
      if (isFile(found)) await this.files.orphan(found, signal);
      this.deps.nodes.detach(found);
    }
    const replaces = !("missingMs" in found);
    if (isFile(node)) await this.moveFile(node, source, { ...target, replaces }, signal);
    else {
      await this.moveDirectory(node, source, target, signal);
      this.moveNode(node, target);
    }
  }

  private moveNode(node: Node, { parent, name }: Spot): void {
    this.catalog.names.add(parent, name);
    this.deps.nodes.move(node, parent, name);
  }

  private async moveFile(
    node: FileNode,
    source: Spot,
    target: Spot & { readonly replaces: boolean },
    signal: AbortSignal,
  ): Promise<void> {
    const { draft } = node.what;
    // One that was never sent goes to its new name when it is.
    const isUnsent = await draft?.alone(() => {
      if (draft.isKnown) return Promise.resolve(false);
      this.moveNode(node, target);
      if (target.replaces) draft.takePlace();
      return Promise.resolve(true);
    });
    if (isUnsent === true) return;
    const move = async (): Promise<void> => {
      await this.moveSent(source, target, signal);
      this.moveNode(node, target);
    };
    // Nothing may be sent to the old name any more.
    await this.files.sendThen(node, move, signal);
  }

  private async moveDirectory(
    node: Node,
    source: Spot,
    target: Spot,
    signal: AbortSignal,
  ): Promise<void> {
    if (target.path.startsWith(`${source.path}/`)) throw new Refusal("EINVAL");
    await this.sendBelow(node, signal);
    await this.moveSent(source, target, signal);
  }

  private async moveSent(source: Spot, target: Spot, signal: AbortSignal): Promise<void> {
    const { commit, path: from } = source;
    const { path: to } = target;
    const { client, random } = this.deps;
    // One for all tries: what was done is not there to be done again.
    const options = { key: randomHex(random), signal };
    await this.ask(`rename ${from} to ${to}`, commit, signal, () =>
      client.files.rename(commit, { from, to }, options),
    );
  }

  /** Sends all that was written below a directory. */
  private async sendBelow(node: Node, signal: AbortSignal): Promise<void> {
    if (isFile(node)) await this.files.send(node, signal);
    for (const child of node.children?.values() ?? []) await this.sendBelow(child, signal);
  }

  private async takeAway(node: Node, spot: Spot, signal: AbortSignal): Promise<void> {
    if (isFile(node)) await this.files.orphan(node, signal);
    const isUnsent = isFile(node) && node.what.draft?.isKnown === false;
    if (!isUnsent) await this.delete(spot, signal);
    this.deps.nodes.detach(node);
  }

  private async delete({ commit, path }: Spot, signal: AbortSignal): Promise<void> {
    await this.ask(`delete ${path}`, commit, signal, () =>
      this.deps.client.files.delete(commit, path, { signal }),
    );
  }

  private async checkRemovable(
    node: Node,
    { commit, path }: Spot,
    kind: "file" | "dir",
    signal: AbortSignal,
  ): Promise<void> {
    if (isFile(node)) {
      if (kind === "dir") throw new Refusal("ENOTDIR");
      return;
    }
    if (kind === "file") throw new Refusal("EISDIR");
    if (node.what.type !== "dir") throw new Refusal("EBUSY");
    for (const child of node.children?.values() ?? [])
      if (isFile(child) && child.what.draft !== undefined && !child.what.isOrphan)
        throw new Refusal("ENOTEMPTY");
    const pages = this.deps.client.files.listPages(commit, path, { pageEntries: 1, signal });
    const page = await this.ask(`list ${path}`, commit, signal, () => pages.next());
    if (page !== undefined && page.length > 0) throw new Refusal("ENOTEMPTY");
  }

  private async existing(spot: Spot, signal: AbortSignal): Promise<Node> {
    const known = this.deps.nodes.child(spot.parent, spot.name);
    if (known !== undefined) return known;
    const found = await this.catalog.find(spot.parent, spot.name, signal);
    if ("missingMs" in found) throw new Refusal("ENOENT");
    return found;
  }

  /** @throws Refusal `EROFS` where nothing can be changed */
  private async spot({ directory, name }: Place, signal: AbortSignal): Promise<Spot> {
    const parent = this.deps.nodes.get(directory);
    if (!isFolder(parent)) throw new Refusal("EPERM");
    const snapshot = await parent.what.tree.snapshot(signal);
    if (this.deps.readOnly || snapshot.isFinal) throw new Refusal("EROFS");
    parent.what.isFinal = false;
    return { parent, name, path: joinPath(pathOf(parent), name), commit: snapshot.commit };
  }

  private async ask<T>(
    what: string,
    commit: CommitName,
    signal: AbortSignal,
    call: () => Promise<T>,
  ): Promise<T> {
    return await this.deps.remote.ask(`${what} of ${commit.repo}/${commit.id}`, signal, call);
  }
}
