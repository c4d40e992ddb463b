import type { Principal } from "../model/principal.ts";
import { parsePath } from "../model/paths.ts";
import { fileNotFound, type FileRequest } from "./files.ts";
import type { PfsDeps } from "./pfs-deps.ts";
import { openNamedView, type View, type ViewEntry } from "./view.ts";

/** A file or directory met on a walk. */
export interface WalkedFile {
  /** Relative to where the walk began; of a single file, its name. */
  readonly path: string;
  readonly type: "file" | "dir";
  readonly bytes: number;
  readonly modifiedMicros: number;
  /** All of its content. */
  read(signal: AbortSignal): AsyncIterable<Buffer>;
}

/** Where a walk begins. */
export interface WalkRequest extends FileRequest {
  /** Continue after this path, of the commit. Default: all of it. */
  readonly after?: string | undefined;
}

/**
 * Everything below a directory, parents before children, or the one file that the path names.
 *
 * @throws CodedError `not_found` before the walk begins
 */
export async function walkFiles(
  deps: PfsDeps,
  _principal: Principal,
  request: WalkRequest,
): Promise<AsyncIterable<WalkedFile>> {
  const path = parsePath(request.path);
  const { view } = await openNamedView(deps, request.commit, request.query);
  const self = path === "" ? undefined : await view.find(path);
  if (path !== "" && self === undefined) throw fileNotFound(request.commit, path);
  return walk(view, path, { self, after: request.after });
}

async function* walk(
  view: View,
  path: string,
  { self, after }: { self: ViewEntry | undefined; after: string | undefined },
): AsyncGenerator<WalkedFile, void, void> {
  if (self?.entry.type === "file") {
    yield walked(view, self, path.slice(path.lastIndexOf("/") + 1));
    return;
  }
  const prefix = path === "" ? 0 : path.length + 1;
  const from = after === undefined ? undefined : parsePath(after);
  for await (const file of view.below(path, from))
    yield walked(view, file, file.path.slice(prefix));
}

function walked(view: View, file: ViewEntry, path: string): WalkedFile {
  return {
    path,
    type: file.entry.type === "dir" ? "dir" : "file",
    bytes: file.bytes,
    modifiedMicros: file.entry.modifiedMicros,
    read: (signal) => view.read(file, { start: 0, end: file.bytes }, signal),
  };
}
