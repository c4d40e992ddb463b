import type { CommitName } from "../../model/commit.ts";
import type { FileInfo } from "../../model/file.ts";
import type { Draft } from "./draft.ts";
import type { Tree } from "./tree.ts";

/** The list of all repos. */
export interface RootFolder {
  readonly type: "root";
}

/** The branches and commits of a repo. */
export interface RepoFolder {
  readonly type: "repo";
  readonly repo: string;
  info: FolderInfo | undefined;
}

/** The top of a branch or commit, or a directory in it. */
export interface Folder {
  readonly type: "top" | "dir";
  readonly tree: Tree;
  info: FolderInfo | undefined;
  /** Its commit had finished when it was last looked at. */
  isFinal: boolean;
}

/** What is known of a directory; the size is that of all below it, 0 where nobody knows. */
export type FolderInfo = Pick<FileInfo, "sizeBytes" | "modifiedMicros">;
type KnownInfo = FolderInfo & Pick<FileInfo, "digest">;

/** A file of a commit. */
export class File {
  readonly type = "file";
  readonly tree: Tree;
  /** The commit it was found in; another one with the same bytes may do as well. */
  readonly commit: CommitName;
  /** Nothing can change it any more: its commit has finished. */
  isFinal: boolean;
  info: KnownInfo;
  /** When that was asked for, by the monotonic clock. */
  checkedMs: number;
  /** When it was written here last. */
  changedMs = -Infinity;
  /** What was written here, as long as it is open. */
  draft: Draft | undefined;
  /** Handles that are open. */
  opens = 0;
  /** What was written could not be sent, and who closed it was told. */
  hasFailed = false;
  /** Nobody can find it any more, but those who have it open. */
  isOrphan = false;
  /** Counts changes of the content that were noticed: what was read before belongs to another one. */
  version = 0;
  /** The version that the kernel has, as far as it keeps any. */
  keptVersion = -1;

  constructor(file: {
    tree: Tree;
    commit: CommitName;
    isFinal: boolean;
    info: KnownInfo;
    checkedMs: number;
  }) {
    this.tree = file.tree;
    this.commit = file.commit;
    this.isFinal = file.isFinal;
    this.info = file.info;
    this.checkedMs = file.checkedMs;
  }

  /** Takes note of how the file was when that was asked for, unless more is known since. */
  update({ sizeBytes, modifiedMicros, digest }: KnownInfo, askedMs: number): void {
    if (this.draft !== undefined || askedMs < this.changedMs || askedMs < this.checkedMs) return;
    if (digest !== this.info.digest) this.version++;
    this.info = { sizeBytes, modifiedMicros, digest };
    this.checkedMs = askedMs;
  }
}

export type What = RootFolder | RepoFolder | Folder | File;

/** Something that the kernel knows, or that leads to it. */
export class Node {
  readonly id: number;
  readonly what: What;
  parent: Node | undefined;
  name: string;
  /** How often the kernel was told of it and has not forgotten. */
  uses = 0;
  children: Map<string, Node> | undefined;

  constructor(id: number, what: What, parent: Node | undefined, name: string) {
    this.id = id;
    this.what = what;
    this.parent = parent;
    this.name = name;
  }
}

/** A node that is a directory of a commit, or its top. */
export type FolderNode = Node & { readonly what: Folder };
/** A node that is a file of a commit. */
export type FileNode = Node & { readonly what: File };

export function isFolder(node: Node): node is FolderNode {
  return node.what.type === "top" || node.what.type === "dir";
}

export function isFile(node: Node): node is FileNode {
  return node.what.type === "file";
}

/** The path of a file or directory in its commit; the top has the empty one. */
export function pathOf(node: Node): string {
  const names: string[] = [];
  let at: Node | undefined = node;
  for (; at !== undefined && (at.what.type === "dir" || at.what.type === "file"); at = at.parent)
    names.push(at.name);
  return names.toReversed().join("/");
}
