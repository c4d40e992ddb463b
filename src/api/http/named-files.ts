import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import type { FastifyRequest } from "fastify";
import { CodedError } from "../../base/errors.ts";
import type { LocalFiles, SmallFiles } from "../../localfiles/index.ts";
import { joinPath, parseEntryPath, parsePath, type FilePath } from "../../model/paths.ts";
import type { TarBatch, TarFile } from "./tar-in.ts";

/** Whether a request names files instead of bringing them. */
export function isNamed(request: FastifyRequest): boolean {
  return request.headers["content-type"] === "application/vnd.mammoth.names";
}

/** A file as a client names it. */
export interface NamedFile {
  /** Where it goes, below the folder; what else it is for, a single file's request says. */
  readonly path: string;
  /** Where it is on this machine. */
  readonly local: string;
}

/** Names are read in groups of so many, */
const groupFilesMax = 256;
/** and so many groups at a time. */
const readingMax = 4;
const lineBytesMax = 64 * 1_024;

/**
 * The files that lines of JSON, `["path","/local/path"]` each, name: small ones in batches, in order.
 *
 * @throws CodedError `invalid_argument` for a line that is none; as the files cannot be read
 */
export async function* readNamedFiles(
  body: Readable,
  folder: string,
  files: LocalFiles,
): AsyncGenerator<TarFile | TarBatch, void, void> {
  const below = parsePath(folder);
  const groups = groupsOf(body);
  const ahead: Group[] = [];
  try {
    for (let isOver = false; ;) {
      while (!isOver && ahead.length < readingMax) {
        const { value: named, done } = await groups.next();
        if (done === true) isOver = true;
        else ahead.push(begin(named, below, files));
      }
      const group = ahead.shift();
      if (group === undefined) return;
      yield* readGroup(group, files);
    }
  } finally {
    await groups.return();
  }
}

/**
 * The one file that a body names.
 *
 * @throws CodedError `invalid_argument` unless it names one
 */
export async function readNamedFile(body: Readable): Promise<NamedFile> {
  let named: NamedFile | undefined;
  for await (const line of linesOf(body)) named = nameOf(line);
  if (named === undefined) throw noName("");
  return named;
}

/**
 * Bytes of the one file that a body names.
 *
 * @throws CodedError `aborted` while reading, when there are not so many
 */
export async function readNamedBytes(
  body: Readable,
  range: { readonly offset: number; readonly bytes: number },
  files: LocalFiles,
): Promise<AsyncIterable<Uint8Array>> {
  const { local } = await readNamedFile(body);
  return exactly(files.read(local, { ...range, bytesMax: range.bytes }), local, range);
}

async function* exactly(
  source: AsyncIterable<Uint8Array>,
  local: string,
  { bytes }: { readonly bytes: number },
): AsyncGenerator<Uint8Array, void, void> {
  let left = bytes;
  for await (const piece of source) {
    left -= piece.length;
    yield piece;
  }
  if (left === 0) return;
  throw new CodedError(
    "aborted",
    `Cannot read ${local}: it became shorter while it was read. Repeat the command when nothing writes to it`,
  );
}

interface Placed {
  readonly named: readonly NamedFile[];
  readonly paths: readonly FilePath[];
}

/** Files of which the first are being read. */
interface Group extends Placed {
  readonly reading: Promise<SmallFiles>;
}

function begin(named: readonly NamedFile[], below: FilePath, files: LocalFiles): Group {
  const paths = named.map(({ path }) => joinPath(below, parseEntryPath(path)));
  const reading = files.readSmall(named.map(({ local }) => local));
  // Thrown when it is its turn.
  reading.catch(() => undefined);
  return { named, paths, reading };
}

async function* readGroup(
  { named, paths, reading: first }: Group,
  files: LocalFiles,
): AsyncGenerator<TarFile | TarBatch, void, void> {
  let reading = first;
  for (let at = 0; at < paths.length;) {
    const read = await reading;
    const from = at;
    at += read.sizes.length;
    if (at < paths.length) {
      // The next are read while these are stored.
      reading = files.readSmall(named.slice(at).map(({ local }) => local));
      reading.catch(() => undefined);
    }
    yield* batchesOf(read, { paths: paths.slice(from, at), named: named.slice(from, at) }, files);
  }
}

/** What was read together, divided where a file is that has to be read on its own. */
async function* batchesOf(
  { contents, sizes }: SmallFiles,
  { paths, named }: Placed,
  files: LocalFiles,
): AsyncGenerator<TarFile | TarBatch, void, void> {
  if (sizes.every((size) => size !== undefined)) return yield { paths, sizes, contents };
  let at = 0;
  for (const [i, size] of sizes.entries()) {
    const path = paths[i]!;
    if (size === undefined)
      yield { path, content: files.read(named[i]!.local, { offset: 0, bytesMax: Infinity }) };
    // A copy: a batch is given away with its memory.
    else yield { path, content: Buffer.from(contents.subarray(at, at + size)) };
    at += size ?? 0;
  }
}

async function* groupsOf(body: Readable): AsyncGenerator<readonly NamedFile[], void, void> {
  let group: NamedFile[] = [];
  for await (const line of linesOf(body)) {
    group.push(nameOf(line));
    if (group.length < groupFilesMax) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

async function* linesOf(body: Readable): AsyncGenerator<string, void, void> {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  for await (const piece of body) {
    const lines = (rest + decoder.write(piece as Buffer)).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > lineBytesMax) throw noName(rest);
    yield* lines;
  }
  rest += decoder.end();
  if (rest !== "") yield rest;
}

function nameOf(line: string): NamedFile {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    throw noName(line);
  }
  const [path, local] = Array.isArray(parsed) && parsed.length === 2 ? (parsed as unknown[]) : [];
  if (typeof path !== "string" || typeof local !== "string" || !local.startsWith("/"))
    throw noName(line);
  return { path, local };
}

function noName(line: string): CodedError {
  return new CodedError(
    "invalid_argument",
    `Cannot read the names of files at ${JSON.stringify(line.slice(0, 80))}: each line is ["path","/local/path"]`,
  );
}
