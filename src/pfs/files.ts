import { CodedError } from "../base/errors.ts";
import type { CommitName } from "../model/commit.ts";
import type { FileInfo } from "../model/file.ts";
import { parsePath } from "../model/paths.ts";
import type { Principal } from "../model/principal.ts";
import { aggregate, emptyContent, type TreeRef } from "../storage/index.ts";
import { commitNames } from "./commit-names.ts";
import type { PfsDeps } from "./pfs-deps.ts";
import { unlessDeleted } from "./read-ranges.ts";
import {
  openNamedView,
  type ByteRange,
  type View,
  type ViewEntry,
  type ViewQuery,
} from "./view.ts";

/** Which file of which commit, seen how. */
export interface FileRequest {
  readonly commit: CommitName;
  /** As typed. */
  readonly path: string;
  readonly query: ViewQuery;
}

/** A file opened for reading. */
export interface OpenFile {
  readonly bytes: number;
  readonly modifiedMicros: number;
  readonly digest: string;
  /** Its bytes `[start, end)`, as the view shows them. */
  read(range: ByteRange, signal: AbortSignal): AsyncIterable<Buffer>;
  /** Gives the memory of a part back before garbage collection would. Nobody may look into it any more. */
  free(part: Buffer): void;
}

/**
 * Opens one file of a commit. One that has not changed since `query.from` is empty.
 *
 * @throws CodedError `not_found` when the view shows no such file; `failed_precondition` for a directory
 */
export async function openFile(
  deps: PfsDeps,
  _principal: Principal,
  request: FileRequest,
): Promise<OpenFile> {
  const { commit: name, query } = request;
  const path = parsePath(request.path);
  const { view, detail } = await openNamedView(deps, name, query);
  const file =
    path === "" ? undefined : ((await view.find(path)) ?? (await unchanged(deps, request)));
  if (path === "" || file?.entry.type === "dir") {
    const classic = `file ${name.repo}/${detail.info.id}//${path} is directory`;
    throw new CodedError(
      "failed_precondition",
      `/${path} of ${name.repo}/${detail.info.id} is a directory: list it with "pachctl list-file ${name.repo} ${detail.info.id} /${path}"`,
      { details: { path, classic } },
    );
  }
  if (file === undefined) throw fileNotFound(name, path);
  return openedFile(deps, { view, uid: detail.info.uid }, file);
}

/** A file of a view of a commit (uid), opened for reading. */
export function openedFile(
  deps: PfsDeps,
  { view, uid }: { view: View; uid: string },
  file: ViewEntry,
): OpenFile {
  return {
    bytes: file.bytes,
    modifiedMicros: file.entry.modifiedMicros,
    digest: view.digestOf(file),
    read: (range, signal) =>
      unlessDeleted(view.read(file, range, signal), () =>
        deps.metadata.call("commitByUid", { uid }),
      ),
    free: (part) => {
      deps.storage.freePiece(part);
    },
  };
}

/** Of a file that the commit has, and in which nothing was written since the commit asked about: nothing. */
async function unchanged(
  deps: PfsDeps,
  { commit, path, query }: FileRequest,
): Promise<ViewEntry | undefined> {
  const { from, fullFile: _, ...now } = query;
  if (from === undefined || from === "") return undefined;
  const { view } = await openNamedView(deps, commit, now);
  const file = await view.find(parsePath(path));
  return file?.entry.type === "file" ? { ...file, bytes: 0, ranges: [] } : undefined;
}

/** One file or directory: with the names of a directory's direct children, or when `bare` with its digest. */
export async function inspectFile(
  deps: PfsDeps,
  _principal: Principal,
  request: FileRequest & { readonly bare?: boolean },
): Promise<FileInfo> {
  const { commit: name, query } = request;
  const path = parsePath(request.path);
  const { view } = await openNamedView(deps, name, query);
  const root = request.bare === true ? rootEntry : undefined;
  const file = path === "" ? root : await view.find(path);
  if (file === undefined) throw fileNotFound(name, path);
  const [info] = await describe(deps, view, name, [file]);
  if (file.entry.type === "file") return info!;
  if (request.bare === true) return { ...info!, digest: await view.digestBelow(path) };
  const children: string[] = [];
  for await (const child of view.children(path, undefined))
    children.push(child.path.slice(path.length + 1));
  return { ...info!, children };
}

/** The root has no entry of its own: what it is shows in what is below it. */
const rootEntry: ViewEntry = {
  path: "",
  bytes: 0,
  ranges: [],
  entry: {
    key: Buffer.alloc(0),
    type: "dir",
    reset: false,
    clear: false,
    content: emptyContent,
    modifiedMicros: 0,
    commit: Buffer.alloc(16),
  },
};

export interface ListQuery extends ViewQuery {
  /** Everything below, instead of the direct children. */
  readonly recurse: boolean;
  /** Continue after this path. */
  readonly after?: string;
  readonly limit: number;
}

/**
 * One page of a directory, sorted by path (of everything below: by key, a directory before what is in
 * it); a file lists itself. `next` is there when more follows.
 */
export async function listFiles(
  deps: PfsDeps,
  _principal: Principal,
  request: FileRequest & { query: ListQuery },
): Promise<{ files: FileInfo[]; next?: string }> {
  const { commit: name, query } = request;
  const path = parsePath(request.path);
  const { view } = await openNamedView(deps, name, query);
  const self = path === "" ? undefined : await view.find(path);
  if (path !== "" && self === undefined) throw fileNotFound(name, path);
  if (self?.entry.type === "file") return { files: await describe(deps, view, name, [self]) };
  const page = await pageOf(view, path, query);
  const isMore = page.length > query.limit;
  const files = await describe(deps, view, name, page.slice(0, query.limit));
  return isMore ? { files, next: files.at(-1)!.path } : { files };
}

/** The entries of a page, and at least one more when there are more. */
async function pageOf(view: View, path: string, query: ListQuery): Promise<ViewEntry[]> {
  const page: ViewEntry[] = [];
  if (!query.recurse) {
    const after = query.after?.slice(path === "" ? 0 : path.length + 1);
    for await (const file of view.children(path, after)) {
      page.push(file);
      if (page.length > query.limit) break;
    }
    return page;
  }
  for await (const run of view.runsBelow(path, query.after)) {
    page.push(...run);
    if (page.length > query.limit) break;
  }
  return page;
}

async function describe(
  deps: PfsDeps,
  view: View,
  name: CommitName,
  files: readonly ViewEntry[],
): Promise<FileInfo[]> {
  const described: { file: ViewEntry; bytes: number; newest: TreeRef["newest"] }[] = [];
  const uids = new Map<Buffer, string>();
  for (const file of files) {
    const { entry } = file;
    let { bytes } = file;
    let newest: TreeRef["newest"] = entry;
    if (entry.type === "dir") {
      const below = await aggregate(view.tree, entry.key, view.nodes);
      bytes = await bytesBelow(view, file.path, below.bytes);
      if (below.count > 0 && below.newest.modifiedMicros >= entry.modifiedMicros)
        newest = below.newest;
    }
    described.push({ file, bytes, newest });
    // Most entries of a page share one buffer.
    if (!uids.has(newest.commit)) uids.set(newest.commit, newest.commit.toString("hex"));
  }
  const names = await commitNames(deps.metadata, [...new Set(uids.values())]);
  return described.map(({ file, bytes, newest }) => ({
    path: file.path,
    type: file.entry.type === "dir" ? "dir" : "file",
    sizeBytes: bytes,
    modifiedMicros: newest.modifiedMicros,
    commitModified: names.get(uids.get(newest.commit)!) ?? name,
    digest: view.digestOf(file),
  }));
}

/** Of a directory's bytes those that the view shows: a block shard shows some of each file. */
async function bytesBelow(view: View, path: string, allBytes: number): Promise<number> {
  if (view.shard.blockModulus <= 1) return allBytes;
  let bytes = 0;
  for await (const file of view.below(path)) bytes += file.bytes;
  return bytes;
}

/** The error of a path that is not there, with what to do. */
export function fileNotFound(name: CommitName, path: string): CodedError {
  const classic = `file /${path} not found in repo ${name.repo} at commit ${name.id}`;
  return new CodedError(
    "not_found",
    `${classic}: "pachctl list-file ${name.repo} ${name.id}" shows what is there`,
    {
      details: { repo: name.repo, commit: name.id, path, classic },
    },
  );
}
