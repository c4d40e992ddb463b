import { commitId, type CommitInfo, type CommitName } from "../../model/commit.ts";
import type { FileInfo } from "../../model/file.ts";
import { joinPath } from "../../model/paths.ts";
import { isRepoName, type RepoInfo } from "../../model/repo.ts";
import { Refusal } from "../refusal.ts";
import { nameBytesMax, type Found, type Missing } from "../volume.ts";
import {
  File,
  isFile,
  isFolder,
  pathOf,
  type FileNode,
  type FolderNode,
  type Node,
} from "./node.ts";
import { BringNames } from "./bring-names.ts";
import { KnownNames } from "./known-names.ts";
import { finalMs, liveMs, Tree, type Snapshot } from "./tree.ts";
import type { VolumeDeps } from "./volume-deps.ts";
import { WalkAhead } from "./walk-ahead.ts";

/** What a commit was like, and when it was asked what it has. */
type AskedSnapshot = Snapshot & { readonly askedMs: number };

/** Entries of a directory that are asked for, and held, at a time. */
const pageEntries = 4_000;

/** What is where: repos, in them branches and commits, in those directories and files. */
export class Catalog {
  private readonly deps: VolumeDeps;
  /** Names that open commits have. */
  readonly names: KnownNames;
  private readonly bringing: BringNames;
  private readonly walks: WalkAhead;

  constructor(deps: VolumeDeps) {
    this.deps = deps;
    this.names = new KnownNames(deps.clock);
    this.bringing = new BringNames(deps, this.names);
    this.walks = new WalkAhead(deps);
  }

  /** The node of a name. */
  async find(parent: Node, name: string, signal: AbortSignal): Promise<Node | Missing> {
    const { what } = parent;
    if (what.type === "file") throw new Refusal("ENOTDIR");
    if (what.type === "root") return await this.findRepo(parent, name, signal);
    if (what.type === "repo") return await this.findCommit(parent, what.repo, name, signal);
    return await this.findEntry(parent as FolderNode, name, signal);
  }

  /** What is in a directory. */
  async *list(node: Node, signal: AbortSignal): AsyncGenerator<Node, void, void> {
    const { what } = node;
    if (what.type === "file") throw new Refusal("ENOTDIR");
    if (what.type === "root") yield* this.listRepos(node, signal);
    else if (what.type === "repo") yield* this.listCommits(node, what.repo, signal);
    else yield* this.listEntries(node as FolderNode, signal);
  }

  /** Looks again at what may have changed. */
  async refresh(node: Node, signal: AbortSignal): Promise<void> {
    if (isFile(node)) await this.refreshFile(node, signal, liveMs);
    else if (isFolder(node)) {
      const snapshot = await node.what.tree.snapshot(signal);
      const isFixed = snapshot.isFinal && !node.what.tree.follows && node.what.info !== undefined;
      node.what.isFinal = snapshot.isFinal;
      if (node.what.type === "top") node.what.info = topInfo(snapshot.info);
      else if (!isFixed) node.what.info = await this.inspect(snapshot.commit, pathOf(node), signal);
    }
  }

  /** Looks at a file again, unless that was done within the last `believedMs`. */
  async refreshFile(node: FileNode, signal: AbortSignal, believedMs: number): Promise<void> {
    const file = node.what;
    if (file.isFinal || file.draft !== undefined || file.isOrphan) return;
    const askedMs = this.deps.clock.monotonicMs();
    if (askedMs - file.checkedMs < believedMs) return;
    file.update(await this.inspect(file.commit, pathOf(node), signal), askedMs);
  }

  /** What a kernel is told of a node. */
  found(node: Node): Found {
    const { what } = node;
    const isWritable = this.isWritable(node);
    const common = { node: node.id };
    if (what.type === "file") {
      const { sizeBytes, modifiedMicros } = what.info;
      const attributes = {
        ...common,
        kind: "file" as const,
        sizeBytes: what.draft?.sizeBytes ?? sizeBytes,
        modifiedMicros,
        mode: isWritable ? 0o644 : 0o444,
      };
      const isFixed = what.isFinal && !what.tree.follows;
      // How large an open file is, the kernel asks: another one may have written.
      const attributesMs = what.isFinal ? finalMs : 0;
      return { attributes, attributesMs, nameMs: isFixed ? finalMs : liveMs };
    }
    const info = what.type === "root" ? undefined : what.info;
    const isFixed = what.type === "dir" && what.isFinal && !what.tree.follows;
    const attributes = {
      ...common,
      kind: "dir" as const,
      sizeBytes: info?.sizeBytes ?? 0,
      modifiedMicros: info?.modifiedMicros ?? 0,
      mode: isWritable ? 0o755 : 0o555,
    };
    const ms = isFixed ? finalMs : liveMs;
    return { attributes, attributesMs: ms, nameMs: ms };
  }

  /** Whether it is in an open commit, as far as is known. */
  isWritable({ what }: Node): boolean {
    if (this.deps.readOnly || what.type === "root" || what.type === "repo") return false;
    return !what.isFinal;
  }

  /** One file or directory of a commit. */
  async inspect(commit: CommitName, path: string, signal: AbortSignal): Promise<FileInfo> {
    const { client, remote, shard } = this.deps;
    const what = `look at ${path} of ${commit.repo}/${commit.id}`;
    return await remote.ask(what, signal, () =>
      client.files.inspect(commit, path, { shard, bare: true, signal }),
    );
  }

  private async findRepo(parent: Node, name: string, signal: AbortSignal): Promise<Node | Missing> {
    if (!isRepoName(name)) return { missingMs: 0 };
    const { client, remote } = this.deps;
    const info = await orMissing(
      remote.ask(`look at repo ${name}`, signal, () => client.repos.inspect(name, { signal })),
    );
    return info === undefined ? { missingMs: 0 } : this.repoNode(parent, info);
  }

  /** `a-b-3` is commit `a-b/3`, if there is one, else a branch of that name. */
  private async findCommit(
    parent: Node,
    repo: string,
    name: string,
    signal: AbortSignal,
  ): Promise<Node | Missing> {
    const match = /^(.+)-(\d{1,15})$/.exec(name);
    const branch = match?.[1];
    const number = Number(match?.[2]);
    if (branch !== undefined && `${branch}-${number}` === name) {
      const info = await this.inspectCommit({ repo, id: commitId(branch, number) }, signal);
      if (info?.branch === branch) return this.topNode(parent, name, info, false);
    }
    if (name.includes("/")) return { missingMs: 0 };
    const head = await this.inspectCommit({ repo, id: name }, signal);
    // A prefix of a branch's name would do, too.
    if (head?.branch !== name) return { missingMs: 0 };
    return this.topNode(parent, name, head, true);
  }

  private async findEntry(
    parent: FolderNode,
    name: string,
    signal: AbortSignal,
  ): Promise<Node | Missing> {
    const { tree } = parent.what;
    if (Buffer.byteLength(name) > nameBytesMax) throw new Refusal("ENAMETOOLONG");
    const snapshot = await tree.snapshot(signal);
    const known = this.deps.nodes.child(parent, name);
    if (known !== undefined && isDraftOf(known, snapshot)) return known;
    if (!snapshot.isFinal && known === undefined) {
      if (this.names.isStale(parent)) await this.bringing.bring(parent, snapshot.commit, signal);
      if (this.names.lack(parent, name)) return { missingMs: 0 };
    }
    const path = joinPath(pathOf(parent), name);
    const askedMs = this.deps.clock.monotonicMs();
    const info = await orMissing(this.inspect(snapshot.commit, path, signal));
    if (info !== undefined) return this.entryNode(parent, name, info, { ...snapshot, askedMs });
    if (!snapshot.isFinal && this.names.isWorthBringing(parent))
      await this.bringing.bring(parent, snapshot.commit, signal);
    const commit = await this.commitBelow(parent, name, signal);
    if (commit !== undefined) return commit;
    return { missingMs: snapshot.isFinal && !tree.follows ? finalMs : 0 };
  }

  /** `master/0`, as the documents write it. */
  private async commitBelow(
    parent: FolderNode,
    name: string,
    signal: AbortSignal,
  ): Promise<Node | undefined> {
    const { type, tree } = parent.what;
    if (type !== "top" || !tree.follows || !/^(0|[1-9]\d{0,14})$/.test(name)) return undefined;
    const id = commitId(tree.name.id, Number(name));
    const info = await this.inspectCommit({ repo: tree.name.repo, id }, signal);
    return info === undefined ? undefined : this.topNode(parent, name, info, false);
  }

  private async inspectCommit(
    commit: CommitName,
    signal: AbortSignal,
  ): Promise<CommitInfo | undefined> {
    const { client, remote } = this.deps;
    const what = `look at commit ${commit.repo}/${commit.id}`;
    return await orMissing(
      remote.ask(what, signal, () => client.commits.inspect(commit, { signal })),
    );
  }

  private async *listRepos(node: Node, signal: AbortSignal): AsyncGenerator<Node, void, void> {
    const { client, remote } = this.deps;
    const repos = await remote.ask("list repos", signal, () => client.repos.list({ signal }));
    for (const info of repos) yield this.repoNode(node, info);
  }

  private async *listCommits(
    node: Node,
    repo: string,
    signal: AbortSignal,
  ): AsyncGenerator<Node, void, void> {
    const { client, remote, allCommits } = this.deps;
    const status = allCommits ? "ALL" : "NORMAL";
    const what = `list commits of ${repo}`;
    const commits = await remote.ask(what, signal, () =>
      client.commits.list({ include: [{ repo }], status, signal }),
    );
    const branches = await remote.ask(what, signal, () =>
      client.repos.branches(repo, { status, signal }),
    );
    const names = new Set<string>();
    const heads = new Map<string, CommitInfo>();
    for (const info of commits) {
      const name = info.id.replace("/", "-");
      names.add(name);
      heads.set(info.branch, info);
      yield this.topNode(node, name, info, false);
    }
    for (const branch of branches) {
      const head = heads.get(branch);
      if (head !== undefined && !names.has(branch)) yield this.topNode(node, branch, head, true);
    }
  }

  private async *listEntries(
    node: FolderNode,
    signal: AbortSignal,
  ): AsyncGenerator<Node, void, void> {
    const { client, remote, shard } = this.deps;
    const snapshot = await node.what.tree.snapshot(signal);
    const { repo, id } = snapshot.commit;
    const path = pathOf(node);
    const options = { shard, pageEntries, signal };
    const brought = snapshot.isFinal ? await this.walks.take(snapshot.commit, path) : undefined;
    const { clock } = this.deps;
    if (brought !== undefined)
      return yield* this.entryNodes(node, brought, { ...snapshot, askedMs: clock.monotonicMs() });
    const pages = client.files.listPages(snapshot.commit, path, options);
    for (;;) {
      const askedMs = clock.monotonicMs();
      const what = `list ${path} of ${repo}/${id}`;
      const page = await remote.ask(what, signal, () => pages.next());
      if (page === undefined) break;
      yield* this.entryNodes(node, page, { ...snapshot, askedMs });
    }
    for (const child of node.children?.values() ?? [])
      if (isFile(child) && isDraftOf(child, snapshot) && child.what.draft?.isKnown === false)
        yield child;
  }

  private *entryNodes(
    node: FolderNode,
    infos: readonly FileInfo[],
    snapshot: AskedSnapshot,
  ): Generator<Node, void, void> {
    const path = pathOf(node);
    const nameAt = path === "" ? 0 : path.length + 1;
    for (const info of infos) {
      const name = info.path.slice(nameAt);
      if (Buffer.byteLength(name) > nameBytesMax) continue;
      const known = this.deps.nodes.child(node, name);
      if (known !== undefined && isDraftOf(known, snapshot)) yield known;
      else yield this.entryNode(node, name, info, snapshot);
    }
  }

  private repoNode(parent: Node, info: RepoInfo): Node {
    const { name, createdMicros, sizeBytes } = info;
    const known = this.deps.nodes.child(parent, name);
    const shown = { modifiedMicros: createdMicros, sizeBytes };
    if (known?.what.type === "repo" && known.what.info?.modifiedMicros === createdMicros) {
      known.what.info = shown;
      return known;
    }
    return this.deps.nodes.add(parent, name, { type: "repo", repo: name, info: shown });
  }

  private topNode(parent: Node, name: string, info: CommitInfo, follows: boolean): Node {
    const known = this.deps.nodes.child(parent, name);
    const isSame = known?.what.type === "top" && known.what.tree.follows === follows;
    const tree = isSame
      ? (known as FolderNode).what.tree
      : new Tree({ repo: info.repo, id: follows ? info.branch : info.id }, follows, this.deps);
    const { isFinal } = tree.note(info);
    const shown = topInfo(info);
    if (isSame) {
      Object.assign(known!.what, { info: shown, isFinal });
      return known!;
    }
    return this.deps.nodes.add(parent, name, { type: "top", tree, info: shown, isFinal });
  }

  private entryNode(
    parent: FolderNode,
    name: string,
    info: FileInfo,
    { isFinal, commit, askedMs }: AskedSnapshot,
  ): Node {
    const { tree } = parent.what;
    const known = this.deps.nodes.child(parent, name);
    if (info.type === "dir") {
      if (known?.what.type !== "dir")
        return this.deps.nodes.add(parent, name, { type: "dir", tree, info, isFinal });
      known.what.info = info;
      known.what.isFinal = isFinal;
      return known;
    }
    if (known !== undefined && isFile(known)) {
      const file = known.what;
      const isSame = file.isFinal
        ? isFinal && file.info.digest === info.digest
        : file.commit.id === commit.id && !file.isOrphan;
      if (isSame) {
        file.update(info, askedMs);
        file.isFinal = isFinal;
        return known;
      }
    }
    const file = new File({ tree, commit, isFinal, info, checkedMs: askedMs });
    return this.deps.nodes.add(parent, name, file);
  }
}

/** It is being written in the commit that is shown. */
function isDraftOf(node: Node, { commit }: Snapshot): boolean {
  return isFile(node) && node.what.draft !== undefined && node.what.commit.id === commit.id;
}

function topInfo(info: CommitInfo): { sizeBytes: number; modifiedMicros: number } {
  return { sizeBytes: 0, modifiedMicros: info.finishedMicros ?? info.startedMicros };
}

async function orMissing<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Refusal && error.code === "ENOENT") return undefined;
    throw error;
  }
}
