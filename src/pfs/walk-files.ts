import type { Principal } from "../model/principal.ts";
import { parsePath } from "../model/paths.ts";
import { KiB, MiB } from "../base/size.ts";
import type { Storage } from "../storage/index.ts";
import { fileNotFound, type FileRequest } from "./files.ts";
import type { PfsDeps } from "./pfs-deps.ts";
import { openNamedView, type View, type ViewEntry } from "./view.ts";

/** A file or directory met on a walk. */
export interface WalkedEntry {
  /** Relative to where the walk began; of a single file, its name. */
  readonly path: string;
  readonly type: "file" | "dir";
  readonly bytes: number;
  readonly modifiedMicros: number;
}

/** Directories and small files, which are read together. */
export interface WalkedBatch {
  readonly entries: readonly WalkedEntry[];
  /** Their contents together. */
  readonly bytes: number;
  /** Reads the content of each file to its place in a buffer. */
  readInto(buffer: Buffer, places: readonly number[], signal: AbortSignal): Promise<void>;
}

/** A file that is read by itself. */
export interface WalkedFile extends WalkedEntry {
  /** All of its content. */
  read(signal: AbortSignal): AsyncIterable<Buffer>;
}

/** Files up to this size are read together, */
const smallBytesMax = 128 * KiB;
/** so many, or of so many bytes, at a time. */
const batchEntriesMax = 512;
const batchBytesMax = MiB;
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
): Promise<AsyncIterable<WalkedBatch | WalkedFile>> {
  const path = parsePath(request.path);
  const { view } = await openNamedView(deps, request.commit, request.query);
  const self = path === "" ? undefined : await view.find(path);
  if (path !== "" && self === undefined) throw fileNotFound(request.commit, path);
  return walk(deps, view, path, { self, after: request.after });
}

async function* walk(
  deps: PfsDeps,
  view: View,
  path: string,
  { self, after }: { self: ViewEntry | undefined; after: string | undefined },
): AsyncGenerator<WalkedBatch | WalkedFile, void, void> {
  if (self?.entry.type === "file") {
    yield walkedFile(view, self, path.slice(path.lastIndexOf("/") + 1));
    return;
  }
  const prefix = path === "" ? 0 : path.length + 1;
  const from = after === undefined ? undefined : parsePath(after);
  let batch = new Batch(deps);
  for await (const files of view.runsBelow(path, from)) {
    for (const file of files) {
      const below = file.path.slice(prefix);
      const isSmall = isReadWhole(file);
      if (!isSmall || !batch.hasRoomFor(file.bytes)) {
        if (batch.entries.length > 0) yield batch;
        batch = new Batch(deps);
      }
      if (isSmall) batch.add(file, below);
      else yield walkedFile(view, file, below);
    }
  }
  if (batch.entries.length > 0) yield batch;
}

/** All of a file is shown, and it is small. */
function isReadWhole({ entry: { content }, bytes }: ViewEntry): boolean {
  return bytes === content.bytes && bytes <= smallBytesMax && content.kind === "pieces";
}

class Batch implements WalkedBatch {
  readonly entries: WalkedEntry[] = [];
  bytes = 0;
  private readonly deps: PfsDeps;
  private readonly files: ViewEntry[] = [];

  constructor(deps: PfsDeps) {
    this.deps = deps;
  }

  hasRoomFor(bytes: number): boolean {
    return this.entries.length < batchEntriesMax && this.bytes + bytes <= batchBytesMax;
  }

  add(file: ViewEntry, path: string): void {
    this.entries.push(walked(file, path));
    this.files.push(file);
    this.bytes += file.bytes;
  }

  async readInto(buffer: Buffer, places: readonly number[], signal: AbortSignal): Promise<void> {
    const wanted: Parameters<Storage["readChunks"]>[0][number][] = [];
    for (const [i, { entry }] of this.files.entries()) {
      if (entry.content.kind !== "pieces") continue;
      let at = places[i]!;
      for (const { hash, bytes } of entry.content.pieces) {
        wanted.push({ hash, bytes, at });
        at += bytes;
      }
    }
    await this.deps.storage.readChunks(wanted, buffer, signal);
  }
}

function walked({ entry, bytes }: ViewEntry, path: string): WalkedEntry {
  const type = entry.type === "dir" ? "dir" : "file";
  return { path, type, bytes, modifiedMicros: entry.modifiedMicros };
}

function walkedFile(view: View, file: ViewEntry, path: string): WalkedFile {
  return {
    ...walked(file, path),
    read: (signal) => view.read(file, { start: 0, end: file.bytes }, signal),
  };
}
