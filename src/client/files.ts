import { isCoded } from "../base/errors.ts";
import type { RecordFormat } from "../chunking/index.ts";
import type { CommitInfo, CommitName } from "../model/commit.ts";
import type { FileDifference, FileInfo } from "../model/file.ts";
import type { Shard } from "../model/shard.ts";
import type { Body } from "./body.ts";
import type { CallOptions, Connection, Query } from "./connection.ts";
import {
  isRefusal,
  namesOf,
  openLocalPass,
  type LocalMachine,
  type PassHeaders,
} from "./local-pass.ts";
import { branchUrl, commitUrl, repoUrl, rest, type BranchName } from "./urls.ts";

/** What a file gets: bytes from here, or bytes the server fetches from an http or https URL. */
export type Content = Body | Fetched;

/** What the daemon fetches: an http or https url, or `s3://bucket/key?endpoint=…&region=…`. */
export interface Fetched {
  readonly url: string;
  /** The url is a prefix: each object gets its key below the path. Of s3 only. */
  readonly recursive?: boolean;
}

export interface PutOptions extends CallOptions {
  /** Replaces what the path has; by default bytes are appended. */
  readonly overwrite?: boolean;
  /** Where records end. Default: by the suffix of the path. */
  readonly delimiter?: RecordFormat;
  /** By which a call made again is recognised: it is then carried out once. Default: one of its own. */
  readonly key?: string;
}

/** Which part of a commit is looked at. Default: all of it. */
export interface ViewOptions extends CallOptions {
  /** Only what is newer than this commit of the same repo (`branch/N`). */
  readonly from?: string;
  /** With `from`: files with anything new are shown whole. */
  readonly fullFile?: boolean;
  readonly shard?: Shard;
}

export interface InspectOptions extends ViewOptions {
  /** Of a directory without the names of its children, of which there may be many, and with a digest of all below it. */
  readonly bare?: boolean;
}

export interface ListOptions extends ViewOptions {
  /** Everything below, instead of the direct children. */
  readonly recurse?: boolean;
  /** How many entries one request brings: at most 10 000. Default: 1 000. */
  readonly pageEntries?: number;
  /** Only what comes after this path. Default: all. */
  readonly after?: string;
}

export interface GetOptions extends ViewOptions {
  /** First byte wanted, from 0. */
  readonly offsetBytes?: number;
  /** How many bytes are wanted at most: with 0 none, and the call only finds out whether it could read. Default: to the end. */
  readonly sizeBytes?: number;
}

export interface SaveOptions extends ViewOptions {
  /** The local file: an absolute path. */
  readonly local: string;
  /** Where the range begins, in both files. */
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  /** A random text that the caller has written to the local file at the offset: the daemon finds it, or writes nothing. */
  readonly mark: string;
}

export interface GetTarOptions extends ViewOptions {
  /** Only what comes after this path of the commit. Default: all. */
  readonly after?: string | undefined;
}

export interface FileCalls {
  /** Appends to a file of an open commit (or replaces it). One call is one atomic write. */
  put(
    commit: CommitName,
    path: string,
    content: Content,
    options?: PutOptions,
  ): Promise<{ readonly bytes: number }>;
  /** Every file of a tar stream appended below `prefix`: all of them or none. See packTar(). */
  putTar(
    commit: CommitName,
    prefix: string,
    tar: Body,
    options?: PutOptions,
  ): Promise<{ readonly files: number; readonly bytes: number }>;
  /** put() as one new finished commit on a branch. */
  putCommit(
    branch: BranchName,
    path: string,
    content: Content,
    options?: PutOptions,
  ): Promise<CommitInfo>;
  /** putTar() as one new finished commit on a branch. */
  putTarCommit(
    branch: BranchName,
    prefix: string,
    tar: Body,
    options?: PutOptions,
  ): Promise<CommitInfo>;
  /**
   * Makes a directory, and those above it, in an open commit; one that is there is left as it is.
   *
   * @throws CodedError when a file is in its place
   */
  makeDirectory(commit: CommitName, path: string, options?: CallOptions): Promise<void>;
  /**
   * Gives a file, or a directory with all below it, another name in an open commit; what has it is replaced. At once
   * or not at all, and no bytes are copied.
   */
  rename(
    commit: CommitName,
    names: { readonly from: string; readonly to: string },
    options?: CallOptions & Pick<PutOptions, "key">,
  ): Promise<void>;
  /** Removes a path and everything below it; one that does not exist is no error. */
  delete(commit: CommitName, path: string, options?: CallOptions): Promise<void>;
  /**
   * A file's bytes; read them to the end or leave the loop.
   *
   * @throws CodedError `not_found`; while reading, `unavailable` when the connection breaks
   */
  get(commit: CommitName, path: string, options?: GetOptions): Promise<AsyncIterable<Buffer>>;
  /**
   * Has a daemon of this machine and user write a range of a file into a local one that is there, at the same place:
   * the bytes do not come here. Gives back how many it wrote; undefined when it cannot, for whatever reason.
   */
  save(commit: CommitName, path: string, options: SaveOptions): Promise<number | undefined>;
  /** Whether save() is worth trying. */
  canSave(options?: CallOptions): Promise<boolean>;
  /** Everything below a directory as a tar stream. See unpackTar(), readTarInto(). */
  getTar(commit: CommitName, path: string, options?: GetTarOptions): Promise<AsyncIterable<Buffer>>;
  /** One file or directory, with the names of its children. */
  inspect(commit: CommitName, path: string, options?: InspectOptions): Promise<FileInfo>;
  /**
   * Files at or below a path that differ between two commits, in pages of at most 10 000.
   *
   * @throws CodedError `not_found` when neither commit has the path
   */
  diff(
    repo: string,
    range: { readonly a: string; readonly b: string; readonly path?: string },
    options?: CallOptions,
  ): AsyncIterable<FileDifference>;
  /** A directory's entries by path, in pages of at most 10 000; with `recurse` everything below it. */
  list(commit: CommitName, path: string, options?: ListOptions): AsyncIterable<FileInfo>;
  /** The same a page at a time: undefined after the last. A call that fails may be made again. */
  listPages(commit: CommitName, path: string, options?: ListOptions): FilePages;
  /**
   * Paths of an open commit that were written to since the answer whose `next` is given; without one, only where to go on.
   *
   * @throws CodedError `failed_precondition` when the commit has ended
   */
  writes(commit: CommitName, options?: { readonly after?: number } & CallOptions): Promise<Writes>;
}

/** What was written to an open commit. */
export interface Writes {
  readonly paths: readonly string[];
  readonly next: number;
  /** There was more than is told. */
  readonly isCut: boolean;
}

/** Pages of a list. */
export interface FilePages {
  next(): Promise<readonly FileInfo[] | undefined>;
}

export function fileCalls(connection: Connection, machine?: LocalMachine): FileCalls {
  return {
    put: (commit, path, content, options = {}) =>
      putContent(connection, `${commitUrl(commit)}/files/${rest(path)}`, content, options),
    putTar: (commit, prefix, tar, options = {}) =>
      putTar(connection, `${commitUrl(commit)}/tar`, { prefix, tar, ...options }),
    putCommit: (branch, path, content, options = {}) =>
      putContent(connection, `${branchUrl(branch)}/files/${rest(path)}`, content, options),
    putTarCommit: (branch, prefix, tar, options = {}) =>
      putTar(connection, `${branchUrl(branch)}/tar`, { prefix, tar, ...options }),
    makeDirectory: (commit, path, { signal } = {}) =>
      connection.json<void>({
        method: "POST",
        path: `${commitUrl(commit)}/directories/${rest(path)}`,
        ...connection.idempotent(),
        signal,
      }),
    rename: (commit, json, { key, signal } = {}) =>
      connection.json<void>({
        method: "POST",
        path: `${commitUrl(commit)}/rename`,
        json,
        ...connection.idempotent(key),
        signal,
      }),
    delete: (commit, path, { signal } = {}) =>
      connection.json<void>({
        method: "DELETE",
        path: `${commitUrl(commit)}/files/${rest(path)}`,
        signal,
        ...connection.idempotent(),
      }),
    get: (commit, path, options = {}) =>
      options.sizeBytes === 0
        ? getNothing(connection, commit, path, options)
        : getBytes(connection, commit, path, options),
    canSave: async (options = {}) => (await passOrNone(connection, machine, options)) !== undefined,
    save: (commit, path, options) =>
      saveRange(connection, machine, `${commitUrl(commit)}/saves/${rest(path)}`, options),
    getTar: (commit, path, options = {}) =>
      connection.bytes({
        method: "GET",
        path: `${commitUrl(commit)}/tar/${rest(path)}`,
        query: { ...viewQuery(options), after: options.after },
        signal: options.signal,
      }),
    inspect: (commit, path, options = {}) =>
      connection.json<FileInfo>({
        method: "GET",
        path: `${commitUrl(commit)}/info/${rest(path)}`,
        query: { ...viewQuery(options), bare: options.bare },
        signal: options.signal,
      }),
    diff: (repo, range, options = {}) => diffPages(connection, repo, { ...range, ...options }),
    list: (commit, path, options = {}) =>
      allOf(listPages(connection, `${commitUrl(commit)}/list/${rest(path)}`, options)),
    listPages: (commit, path, options = {}) =>
      listPages(connection, `${commitUrl(commit)}/list/${rest(path)}`, options),
    writes: (commit, { after, signal } = {}) =>
      connection.json<Writes>({
        method: "GET",
        path: `${commitUrl(commit)}/writes`,
        query: { after },
        signal,
      }),
  };
}

function putContent<T>(
  connection: Connection,
  path: string,
  content: Content,
  options: PutOptions,
): Promise<T> {
  const isUrl = typeof content === "object" && "url" in content;
  const { overwrite, delimiter, signal } = options;
  const fetched = isUrl ? { url: content.url, recursive: content.recursive } : {};
  return connection.json<T>({
    method: "POST",
    path,
    query: { overwrite, delimiter, ...fetched },
    ...(isUrl ? {} : { body: content }),
    ...connection.idempotent(options.key),
    signal,
  });
}

function putTar<T>(
  connection: Connection,
  path: string,
  put: { prefix: string; tar: Body } & PutOptions,
): Promise<T> {
  const { headers, repeatable } = connection.idempotent(put.key);
  return connection.json<T>({
    method: "POST",
    path,
    query: { path: put.prefix, overwrite: put.overwrite, delimiter: put.delimiter },
    body: put.tar,
    headers: { "content-type": "application/x-tar", ...headers },
    repeatable,
    signal: put.signal,
  });
}

function listPages(connection: Connection, path: string, options: ListOptions): FilePages {
  const { recurse, pageEntries: limit, signal } = options;
  const query = { ...viewQuery(options), recurse, limit };
  let { after } = options;
  let isOver = false;
  return {
    async next() {
      if (isOver) return undefined;
      const page: { files: FileInfo[]; next?: string } = await connection.json({
        method: "GET",
        path,
        query: { ...query, after },
        signal,
      });
      after = page.next;
      isOver = after === undefined;
      return page.files;
    },
  };
}

async function* allOf(pages: FilePages): AsyncGenerator<FileInfo, void, void> {
  for (let page = await pages.next(); page !== undefined; page = await pages.next()) yield* page;
}

async function* diffPages(
  connection: Connection,
  repo: string,
  { a, b, path = "", signal }: { a: string; b: string; path?: string } & CallOptions,
): AsyncGenerator<FileDifference, void, void> {
  let after: string | undefined;
  do {
    const page: { files: FileDifference[]; next?: string } = await connection.json({
      method: "GET",
      path: `${repoUrl(repo)}/diff/${rest(path)}`,
      query: { a, b, after },
      signal,
    });
    yield* page.files;
    after = page.next;
  } while (after !== undefined);
}

function viewQuery({ from, fullFile, shard }: ViewOptions): Query {
  const files = shard !== undefined && shard.fileModulus > 1;
  const blocks = shard !== undefined && shard.blockModulus > 1;
  return {
    from,
    fullFile,
    fileShard: files ? shard.fileNumber : undefined,
    fileModulus: files ? shard.fileModulus : undefined,
    blockShard: blocks ? shard.blockNumber : undefined,
    blockModulus: blocks ? shard.blockModulus : undefined,
  };
}

async function getBytes(
  connection: Connection,
  commit: CommitName,
  path: string,
  options: GetOptions,
): Promise<AsyncIterable<Buffer>> {
  return await connection.bytes({
    method: "GET",
    path: `${commitUrl(commit)}/files/${rest(path)}`,
    query: viewQuery(options),
    headers: rangeHeader(options),
    signal: options.signal,
  });
}

/** Why there is none does not matter: the bytes can be read. */
async function passOrNone(
  connection: Connection,
  machine: LocalMachine | undefined,
  { signal }: CallOptions,
): Promise<PassHeaders | undefined> {
  try {
    return await openLocalPass(connection, machine, { signal });
  } catch (error) {
    signal?.throwIfAborted();
    // A daemon that is away is waited for by whoever asks.
    if (isCoded(error, "unavailable")) throw error;
    return undefined;
  }
}

async function saveRange(
  connection: Connection,
  machine: LocalMachine | undefined,
  path: string,
  { local, mark, offsetBytes: offset, sizeBytes: bytes, signal, ...view }: SaveOptions,
): Promise<number | undefined> {
  const pass = await passOrNone(connection, machine, { signal });
  if (pass === undefined) return undefined;
  try {
    const saved = await connection.json<{ bytes: number }>({
      method: "POST",
      path,
      query: { ...viewQuery(view), offset, bytes },
      body: namesOf([[mark, local]]),
      headers: pass,
      signal,
    });
    return saved.bytes;
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw error;
  }
}

/** A range of no bytes cannot be asked for; one byte tells whether there is such a file. */
async function getNothing(
  connection: Connection,
  commit: CommitName,
  path: string,
  options: GetOptions,
): Promise<AsyncIterable<Buffer>> {
  const { offsetBytes: _, ...view } = options;
  try {
    for await (const _ of await getBytes(connection, commit, path, { ...view, sizeBytes: 1 }));
  } catch (error) {
    // Of an empty file.
    if (!isCoded(error, "out_of_range")) throw error;
  }
  return none();
}

async function* none(): AsyncGenerator<Buffer, void, void> {}

function rangeHeader({ offsetBytes = 0, sizeBytes }: GetOptions): { range?: string } {
  if (offsetBytes === 0 && sizeBytes === undefined) return {};
  return {
    range: `bytes=${offsetBytes}-${sizeBytes === undefined ? "" : offsetBytes + sizeBytes - 1}`,
  };
}
