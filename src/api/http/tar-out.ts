import { Readable } from "node:stream";
import { pack, type Pack } from "tar-stream";
import { CodedError } from "../../base/errors.ts";
import type { CommitName } from "../../model/commit.ts";
import { parsePath } from "../../model/paths.ts";
import { collect } from "./whole-body.ts";
import {
  openNamedView,
  readRanges,
  type PfsDeps,
  type View,
  type ViewEntry,
  type ViewQuery,
} from "../../pfs/index.ts";

/** Everything below a path (or the one file there) as a tar stream; names are relative to the path. */
export async function writeTar(
  pfs: PfsDeps,
  name: CommitName,
  typedPath: string,
  query: ViewQuery,
  signal: AbortSignal,
): Promise<Readable> {
  const path = parsePath(typedPath);
  const { view } = await openNamedView(pfs, name, query);
  const self = path === "" ? undefined : await view.find(path);
  if (path !== "" && self === undefined)
    throw new CodedError(
      "not_found",
      `file /${path} not found in repo ${name.repo} at commit ${name.id}`,
      { details: { path } },
    );
  const tar = pack();
  fill(pfs, view, tar, { path, self, signal }).catch((error: unknown) => {
    tar.destroy(error as Error);
  });
  return Readable.from(tar, { objectMode: false });
}

interface TarSource {
  readonly path: string;
  readonly self: ViewEntry | undefined;
  readonly signal: AbortSignal;
}

async function fill(
  pfs: PfsDeps,
  view: View,
  tar: Pack,
  { path, self, signal }: TarSource,
): Promise<void> {
  if (self?.entry.type === "file")
    await addFile(pfs, view, tar, {
      file: self,
      name: path.slice(path.lastIndexOf("/") + 1),
      signal,
    });
  else {
    for await (const file of view.below(path)) {
      signal.throwIfAborted();
      await addFile(pfs, view, tar, {
        file,
        name: path === "" ? file.path : file.path.slice(path.length + 1),
        signal,
      });
    }
  }
  tar.finalize();
}

/** Files up to this size are written with their header in one step. */
const wholeBytesMax = 256 * 1024;

async function addFile(
  pfs: PfsDeps,
  view: View,
  tar: Pack,
  { file, name, signal }: { file: ViewEntry; name: string; signal: AbortSignal },
): Promise<void> {
  const mtime = new Date(file.entry.modifiedMicros / 1_000);
  if (file.entry.type === "dir") {
    await written((done) =>
      tar.entry({ name: `${name}/`, type: "directory", mode: 0o755, mtime }, done),
    );
    return;
  }
  const header = { name, size: file.bytes, mode: 0o644, mtime };
  const content = readRanges(
    pfs,
    { content: file.entry.content, nodes: view.nodes, ranges: file.ranges },
    { start: 0, end: file.bytes },
    signal,
  );
  if (file.bytes <= wholeBytesMax) {
    const bytes = await collect(content, file.bytes);
    await written((done) => tar.entry(header, bytes, done));
    return;
  }
  await written((done) => {
    const entry = tar.entry(header, done);
    pipe(content, entry).catch((error: unknown) => {
      entry.destroy(error as Error);
    });
  });
}

/** The part of a tar entry that takes bytes. */
interface ByteSink {
  write(bytes: Uint8Array): boolean;
  end(last: undefined): unknown;
  once(event: "drain", listener: () => void): unknown;
}

async function pipe(content: AsyncIterable<Uint8Array>, entry: ByteSink): Promise<void> {
  for await (const bytes of content) {
    if (!entry.write(bytes))
      await new Promise<void>((resolve) => {
        entry.once("drain", resolve);
      });
  }
  entry.end(undefined);
}

async function written(add: (done: (error?: Error | null) => void) => unknown): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    add((error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}
