import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { stampOf, type FileStamp, type Inherited } from "./inherit.ts";
import { directoryFs, walkOutput, type FoundEntry } from "./output-walk.ts";
import type { OutputChange } from "../model/output-change.ts";
import type { WorkerFs } from "./worker-options.ts";

const pieceBytes = 256 * 1024;

/**
 * What a command did to its output, found by comparing `/pfs/out` with what it was before: first the
 * deletes, then the rest, each in path order and parents first. To be called when the command and
 * all it started are dead; contents are read when they are asked for.
 *
 * An inherited file counts as appended when it is the same file (inode), longer, and begins with the
 * old bytes; as replaced when it differs in any other way, also by being written with the same bytes.
 * A changed mode or owner alone is no change.
 *
 * @throws CodedError `invalid_argument` naming a path that cannot be stored, before the first change
 */
export async function* collectOutput(
  fs: WorkerFs,
  stage: { readonly out: string; readonly inherited: Inherited | undefined },
  signal: AbortSignal,
): AsyncGenerator<OutputChange> {
  const found = await walkOutput(directoryFs(fs, stage.out));
  const inherited = stage.inherited ?? nothing;
  const files = new Set(inherited.files.keys());
  yield* deletes(found, { files, directories: inherited.directories });
  for (const entry of found) {
    signal.throwIfAborted();
    if (entry.type === "dir") {
      if (!inherited.directories.has(entry.path)) yield { kind: "mkdir", path: entry.path };
      continue;
    }
    const place = { ...entry, hostPath: `${stage.out}/${entry.real}` };
    const change = await changeOf(fs, place, inherited);
    if (change !== undefined) yield change;
  }
}

const nothing: Inherited = { prev: "", files: new Map(), directories: new Set() };

/** What was inherited and is no more, or is something else. A deleted directory stands for all in it. */
export function* deletes(
  found: readonly FoundEntry[],
  inherited: { readonly files: ReadonlySet<string>; readonly directories: ReadonlySet<string> },
): Generator<OutputChange> {
  const types = new Map(found.map(({ path, type }) => [path, type]));
  const gone = new Set<string>();
  for (const path of inherited.directories) if (types.get(path) !== "dir") gone.add(path);
  for (const path of inherited.files) if (types.get(path) !== "file") gone.add(path);
  const sorted = [...gone].toSorted((a, b) => Buffer.compare(keyOf(a), keyOf(b)));
  for (const path of sorted) {
    if (!hasAncestorIn(gone, path)) yield { kind: "delete", path };
  }
}

/** Parents directly before what is in them, as the tree sorts. */
function keyOf(path: string): Buffer {
  return Buffer.from(path.replaceAll("/", "\0"));
}

function hasAncestorIn(paths: ReadonlySet<string>, path: string): boolean {
  for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
    if (paths.has(path.slice(0, at))) return true;
  }
  return false;
}

async function changeOf(
  fs: WorkerFs,
  entry: FoundEntry & { readonly hostPath: string },
  inherited: Inherited,
): Promise<OutputChange | undefined> {
  const now = await stampOf(fs, entry.hostPath);
  const before = inherited.files.get(entry.path);
  const whole = (kind: "append" | "replace"): OutputChange =>
    contentFrom(fs, entry, kind, { from: 0, to: Number(now.bytes) });
  if (before === undefined) return whole("append");
  if (entry.linked || now.inode !== before.inode) return whole("replace");
  if (sameTimes(now, before)) return undefined;
  const isPrefix =
    now.bytes >= before.bytes &&
    (await beginsWith(fs, entry.hostPath, `${inherited.prev}/${entry.path}`));
  if (!isPrefix) return whole("replace");
  if (now.bytes > before.bytes) {
    return contentFrom(fs, entry, "append", { from: Number(before.bytes), to: Number(now.bytes) });
  }
  return now.modifiedNs === before.modifiedNs ? undefined : whole("replace");
}

function sameTimes(a: FileStamp, b: FileStamp): boolean {
  return a.changedNs === b.changedNs && a.modifiedNs === b.modifiedNs && a.bytes === b.bytes;
}

function contentFrom(
  fs: WorkerFs,
  entry: { readonly path: string; readonly hostPath: string },
  kind: "append" | "replace",
  range: { readonly from: number; readonly to: number },
): OutputChange {
  return {
    kind,
    path: entry.path,
    bytes: range.to - range.from,
    content: () => readRange(fs, entry.hostPath, range),
  };
}

async function* readRange(
  fs: WorkerFs,
  path: string,
  { from, to }: { readonly from: number; readonly to: number },
): AsyncGenerator<Uint8Array> {
  // What is there was looked at: should it be a link by now, somebody wants to trick us.
  const file = await fs.open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    for (let at = from; at < to;) {
      const buffer = Buffer.allocUnsafe(Math.min(pieceBytes, to - at));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
      at += bytesRead;
    }
  } finally {
    await file.close();
  }
}

/** True when the file at `path` begins with all of the file at `prefixPath`; holds two pieces. */
async function beginsWith(fs: WorkerFs, path: string, prefixPath: string): Promise<boolean> {
  const [file, prefix] = [await fs.open(path, "r"), await fs.open(prefixPath, "r")];
  try {
    const expected = Buffer.allocUnsafe(pieceBytes);
    const actual = Buffer.allocUnsafe(pieceBytes);
    for (let at = 0; ;) {
      const { bytesRead } = await prefix.read(expected, 0, pieceBytes, at);
      if (bytesRead === 0) return true;
      if (!(await readExactly(file, actual.subarray(0, bytesRead), at))) return false;
      if (!actual.subarray(0, bytesRead).equals(expected.subarray(0, bytesRead))) return false;
      at += bytesRead;
    }
  } finally {
    await file.close();
    await prefix.close();
  }
}

async function readExactly(file: FileHandle, into: Buffer, at: number): Promise<boolean> {
  for (let done = 0; done < into.length;) {
    const { bytesRead } = await file.read(into, done, into.length - done, at + done);
    if (bytesRead === 0) return false;
    done += bytesRead;
  }
  return true;
}
