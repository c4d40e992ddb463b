import { CodedError } from "../base/errors.ts";
import { isPattern, namePattern } from "../model/glob.ts";
import { joinPath, parsePath } from "../model/paths.ts";
import type { Principal } from "../model/principal.ts";
import { openedFile, type FileRequest, type OpenFile } from "./files.ts";
import type { PfsDeps } from "./pfs-deps.ts";
import { openNamedView, type View, type ViewEntry } from "./view.ts";

/**
 * The files whose path matches a pattern, in the order of their names, part by part. Each part of the pattern is a
 * name or a pattern of names (src/model/glob.ts); a name that is there as it is typed comes before what it means as a
 * pattern, so that every file can be read under its own path. Directories do not match; with `deep`, all files
 * below one that matches do.
 *
 * @throws CodedError `not_found` for the commit at once, and for a pattern that matches no file when it is known
 */
export async function matchFiles(
  deps: PfsDeps,
  _principal: Principal,
  request: FileRequest & { signal: AbortSignal; deep?: boolean },
): Promise<AsyncGenerator<OpenFile, void, void>> {
  const { commit, query, signal, deep = false } = request;
  const path = parsePath(request.path);
  const parts = partsOf(path);
  const { view, detail } = await openNamedView(deps, commit, query);
  const opened = async function* (): AsyncGenerator<OpenFile, void, void> {
    let isEmpty = true;
    const found = deep ? filesMatching(view, path, signal) : matching(view, parts, signal);
    for await (const file of found) {
      if (file.entry.type !== "file") continue;
      isEmpty = false;
      yield openedFile(deps, { view, uid: detail.info.uid }, file);
    }
    if (isEmpty)
      throw new CodedError(
        "not_found",
        `no file matches /${path} in repo ${commit.repo} at commit ${detail.info.id}: "pachctl list-file ${commit.repo} ${detail.info.id}" shows what is there`,
        { details: { repo: commit.repo, commit: detail.info.id, path } },
      );
  };
  return opened();
}

/**
 * The files of a view that a pattern stands for, as matchFiles() finds them; of a directory that matches, all files
 * below it.
 */
export async function* filesMatching(
  view: View,
  pattern: string,
  signal: AbortSignal,
): AsyncGenerator<ViewEntry, void, void> {
  const path = parsePath(pattern);
  if (path === "") return yield* filesBelow(view, "", signal);
  for await (const found of matching(view, partsOf(path), signal)) {
    if (found.entry.type === "file") yield found;
    else yield* filesBelow(view, found.path, signal);
  }
}

async function* filesBelow(
  view: View,
  dir: string,
  signal: AbortSignal,
): AsyncGenerator<ViewEntry, void, void> {
  for await (const run of view.runsBelow(dir)) {
    signal.throwIfAborted();
    for (const file of run) if (file.entry.type === "file") yield file;
  }
}

/** A path below a directory as it is typed; one name when it may be a pattern. */
interface Part {
  readonly typed: string;
  readonly isPattern: boolean;
}

/** Names that are no patterns, one below the other, are one part. */
function partsOf(path: string): Part[] {
  const parts: Part[] = [];
  for (const typed of path.split("/")) {
    const last = parts.at(-1);
    if (isPattern(typed)) parts.push({ typed, isPattern: true });
    else if (last === undefined || last.isPattern) parts.push({ typed, isPattern: false });
    else parts[parts.length - 1] = { typed: `${last.typed}/${typed}`, isPattern: false };
  }
  return parts;
}

/** Files and directories. Depth first, without recursion: a path may have thousands of parts. */
async function* matching(
  view: View,
  parts: readonly Part[],
  signal: AbortSignal,
): AsyncGenerator<ViewEntry, void, void> {
  const open = [candidates(view, "", parts[0]!)];
  for (let deepest = open.at(-1); deepest !== undefined; deepest = open.at(-1)) {
    signal.throwIfAborted();
    const next = await deepest.next();
    if (next.done === true) {
      open.pop();
      continue;
    }
    const { path, entry } = next.value;
    const part = parts[open.length];
    if (part === undefined) yield next.value;
    if (part !== undefined && entry.type === "dir") open.push(candidates(view, path, part));
  }
}

/** What one part of a pattern stands for below a directory. */
async function* candidates(
  view: View,
  dir: string,
  part: Part,
): AsyncGenerator<ViewEntry, void, void> {
  const itself = await view.find(joinPath(dir, part.typed));
  if (itself !== undefined) return yield itself;
  if (!part.isPattern) return;
  const isMatch = namePattern(part.typed);
  const nameAt = dir === "" ? 0 : dir.length + 1;
  for await (const child of view.children(dir)) if (isMatch(child.path.slice(nameAt))) yield child;
}
