import { CodedError } from "../base/errors.ts";
import type { CommitName } from "../model/commit.ts";
import type { FileDifference, FileVersion } from "../model/file.ts";
import { keyOfPath, parsePath, pathOfKey } from "../model/paths.ts";
import type { Principal } from "../model/principal.ts";
import {
  contentDigest,
  diff,
  find,
  keyAfter,
  subtreeEnd,
  type Difference,
  type Entry,
} from "../storage/index.ts";
import type { RootView } from "./open-roots.ts";
import type { PfsDeps } from "./pfs-deps.ts";

export interface DiffRequest {
  /** Both of one repo; open ones are taken as they are now. */
  readonly a: CommitName;
  readonly b: CommitName;
  /** A file or directory, as typed; empty for everything. */
  readonly path: string;
  /** Continue after this path. */
  readonly after?: string;
  readonly limit: number;
}

/**
 * A page of the files at or below a path that differ between two commits, in the order of listings. The
 * cost follows the difference, not the size. `next` is there when more follows.
 *
 * @throws CodedError `not_found` when neither commit has the path
 */
export async function diffFiles(
  deps: PfsDeps,
  _principal: Principal,
  { a, b, path: typed, after, limit }: DiffRequest,
): Promise<{ files: FileDifference[]; next?: string }> {
  const [left, right] = [await rootOf(deps, a), await rootOf(deps, b)];
  const path = parsePath(typed);
  const key = keyOfPath(path);
  if (path !== "" && !(await has(left, key)) && !(await has(right, key)))
    throw new CodedError(
      "not_found",
      `file ${path} not found in ${a.repo}/${a.id} nor in ${b.repo}/${b.id}: "pachctl list-file" shows what there is`,
      { details: { path } },
    );
  const range = {
    from: after === undefined ? key : keyAfter(keyOfPath(parsePath(after))),
    end: subtreeEnd(key),
    sourceOfB: right.nodes,
  };
  const files: FileDifference[] = [];
  for await (const difference of diff(left.root, right.root, left.nodes, range)) {
    const file = fileDifference(difference);
    // `path` itself, and what is below it; not its neighbours in byte order.
    if (file === undefined || !isAtOrBelow(file.path, path)) continue;
    if (files.length === limit) return { files, next: files.at(-1)!.path };
    files.push(file);
  }
  return { files };
}

async function rootOf(deps: PfsDeps, commit: CommitName): Promise<RootView> {
  return await deps.openRoots.rootOf(await deps.metadata.call("findCommit", commit));
}

async function has({ root, nodes }: RootView, key: Buffer): Promise<boolean> {
  return (await find(root, key, nodes)) !== undefined;
}

function isAtOrBelow(path: string, above: string): boolean {
  return above === "" || path === above || path.startsWith(`${above}/`);
}

/** Directories by themselves are no difference. */
function fileDifference({ key, before, after }: Difference): FileDifference | undefined {
  const [from, to] = [versionOf(before), versionOf(after)];
  if (from === undefined && to === undefined) return undefined;
  return {
    path: pathOfKey(key),
    ...(from === undefined ? {} : { before: from }),
    ...(to === undefined ? {} : { after: to }),
  };
}

function versionOf(entry: Entry | undefined): FileVersion | undefined {
  if (entry?.type !== "file") return undefined;
  return { sizeBytes: entry.content.bytes, digest: contentDigest(entry) };
}
