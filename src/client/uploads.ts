import type { RecordFormat } from "../chunking/index.ts";
import type { CommitInfo, CommitName } from "../model/commit.ts";
import type { PlacedUpload, UploadInfo } from "../model/upload.ts";
import type { Body } from "./body.ts";
import type { CallOptions, Connection, Query } from "./connection.ts";
import { fileCalls, type PutOptions } from "./files.ts";
import { openLocalPass, type LocalMachine, type PassHeaders } from "./local-pass.ts";
import { sendStream, type StreamOptions } from "./send-stream.ts";
import { sendFiles, type SendOptions, type SentFile } from "./send-files.ts";
import { branchUrl, commitUrl, part, type BranchName } from "./urls.ts";

export interface AppendOptions extends CallOptions {
  /** Where in the upload the body begins: what it has. */
  readonly offsetBytes: number;
  /** The upload ends with the body. Default: false. */
  readonly last?: boolean;
  /** The body names a file, of which the daemon reads so many bytes: see openLocalPass(). */
  readonly named?: { readonly pass: PassHeaders; readonly bytes: number };
}

export interface PutUploadsOptions extends CallOptions {
  /** A call repeated with the same key happens once. Default: random. */
  readonly key?: string | undefined;
}

/** Where an upload is to be put: what would be refused then is refused before its bytes come. */
export type UploadTarget = CommitName | BranchName;

export interface BeginOptions extends CallOptions {
  readonly target?: UploadTarget | undefined;
}

export interface PutTarOptions extends PutOptions {
  readonly target?: UploadTarget | undefined;
  /** The body names files instead of bringing them: see openLocalPass(). */
  readonly pass?: PassHeaders | undefined;
}

export interface UploadList {
  readonly uploads: readonly UploadInfo[];
  readonly next?: string;
}

/** What was written. */
export interface PutAnswer {
  readonly files: number;
  readonly bytes: number;
}

/** Sending first and putting then, so that a connection that breaks costs little. See sendFiles() for all of it at once. */
export interface UploadCalls {
  /** Begins an upload of one file's bytes, or tells how far it is. The id: 16 to 64 letters and digits, at random. */
  begin(id: string, format: RecordFormat, options?: BeginOptions): Promise<UploadInfo>;
  /**
   * Adds bytes; they are durable as they come. Never sent twice: after a failure begin() tells from where.
   *
   * @throws CodedError `aborted` when the upload does not end at the offset
   */
  append(id: string, body: Body, options: AppendOptions): Promise<UploadInfo>;
  /** Uploads every file of a tar below a folder: all of them or none; nothing happens when it is there already. */
  putTar(id: string, prefix: string, tar: Body, options?: PutTarOptions): Promise<UploadInfo>;
  /** @throws CodedError `not_found` */
  inspect(id: string, options?: CallOptions): Promise<UploadInfo>;
  /** A page of those that were not put yet. */
  list(options?: CallOptions & { readonly after?: string }): Promise<UploadList>;
  /** @throws CodedError `not_found` */
  delete(id: string, options?: CallOptions): Promise<void>;
  /** Writes what was uploaded into an open commit: all of it or nothing. The uploads are gone then. */
  put(
    commit: CommitName,
    uploads: readonly PlacedUpload[],
    options?: PutUploadsOptions,
  ): Promise<PutAnswer>;
  /** put() as one new finished commit on a branch. */
  putCommit(
    branch: BranchName,
    uploads: readonly PlacedUpload[],
    options?: PutUploadsOptions,
  ): Promise<CommitInfo>;
  /**
   * Writes files into an open commit, all of them or none, in as many requests as it takes: what the daemon has
   * of them is not sent again when a connection breaks, it is restarted, or the call is made again under the same name.
   */
  sendFiles(
    commit: CommitName,
    files: AsyncIterable<SentFile> | Iterable<SentFile>,
    options?: SendOptions,
  ): Promise<PutAnswer>;
  /** sendFiles() as one new finished commit on a branch. */
  sendFilesCommit(
    branch: BranchName,
    files: AsyncIterable<SentFile> | Iterable<SentFile>,
    options?: SendOptions,
  ): Promise<CommitInfo>;
  /**
   * Writes a stream that can be read once into a file of an open commit. What the daemon has of it stays there when a
   * connection breaks or it is restarted; the rest is held until it has it, up to 128 MiB.
   */
  sendStream(
    commit: CommitName,
    path: string,
    source: AsyncIterable<Uint8Array>,
    options?: StreamOptions,
  ): Promise<{ readonly bytes: number }>;
  /** sendStream() as one new finished commit on a branch. */
  sendStreamCommit(
    branch: BranchName,
    path: string,
    source: AsyncIterable<Uint8Array>,
    options?: StreamOptions,
  ): Promise<CommitInfo>;
}

type SendingName = "sendFiles" | "sendFilesCommit" | "sendStream" | "sendStreamCommit";
/** One request each. */
export type StepCalls = Omit<UploadCalls, SendingName>;

export function uploadCalls(connection: Connection, machine?: LocalMachine): UploadCalls {
  const url = (id: string): string => `/uploads/${part(id)}`;
  const putAt = <T>(
    path: string,
    uploads: readonly PlacedUpload[],
    { key, signal }: PutUploadsOptions = {},
  ): Promise<T> =>
    connection.json<T>({
      method: "POST",
      path: `${path}/uploads`,
      json: { uploads },
      ...connection.idempotent(key),
      signal,
    });
  const calls: StepCalls = {
    begin: (id, delimiter, { signal, target } = {}) =>
      connection.json({
        method: "PUT",
        path: url(id),
        query: { delimiter, ...queryOf(target) },
        repeatable: true,
        signal,
      }),
    append: (id, body, { offsetBytes: offset, last, named, signal }) =>
      connection.json({
        method: "POST",
        path: `${url(id)}/bytes`,
        query: { offset, last, named: named?.bytes },
        body,
        ...(named === undefined ? {} : { headers: named.pass }),
        signal,
      }),
    putTar: (id, path, body, { overwrite, delimiter, pass, target, signal } = {}) =>
      connection.json({
        method: "PUT",
        path: `${url(id)}/tar`,
        query: { path, overwrite, delimiter, ...queryOf(target) },
        body,
        headers: { "content-type": "application/x-tar", ...pass },
        repeatable: true,
        signal,
      }),
    inspect: (id, { signal } = {}) => connection.json({ method: "GET", path: url(id), signal }),
    list: ({ after, signal } = {}) =>
      connection.json({ method: "GET", path: "/uploads", query: { after }, signal }),
    delete: (id, { signal } = {}) => connection.json({ method: "DELETE", path: url(id), signal }),
    put: (commit, uploads, options) => putAt<PutAnswer>(commitUrl(commit), uploads, options),
    putCommit: (branch, uploads, options) => putAt<CommitInfo>(branchUrl(branch), uploads, options),
  };
  return { ...calls, ...sendingCalls(connection, calls, machine) };
}

/** All of it at once. */
function sendingCalls(
  connection: Connection,
  calls: StepCalls,
  machine: LocalMachine | undefined,
): Pick<UploadCalls, SendingName> {
  const openPass = async ({ signal }: CallOptions): Promise<PassHeaders | undefined> =>
    await openLocalPass(connection, machine, { signal });
  const whole = fileCalls(connection);
  return {
    sendFiles: (commit, files, options) =>
      sendFiles(connection, files, options, {
        uploads: calls,
        openPass,
        target: commit,
        putTar: `${commitUrl(commit)}/tar`,
        put: (placed, putOptions) => calls.put(commit, placed, putOptions),
      }),
    sendFilesCommit: (branch, files, options) =>
      sendFiles(connection, files, options, {
        uploads: calls,
        openPass,
        target: branch,
        putTar: `${branchUrl(branch)}/tar`,
        put: (placed, putOptions) => calls.putCommit(branch, placed, putOptions),
      }),
    sendStream: (commit, path, source, options = {}) =>
      sendStream<{ readonly bytes: number }>(connection, source, options, {
        uploads: calls,
        target: commit,
        path,
        putWhole: (body) => whole.put(commit, path, body, putOptionsOf(options)),
        put: (placed, putOptions) => calls.put(commit, placed, putOptions),
      }),
    sendStreamCommit: (branch, path, source, options = {}) =>
      sendStream(connection, source, options, {
        uploads: calls,
        target: branch,
        path,
        putWhole: (body) => whole.putCommit(branch, path, body, putOptionsOf(options)),
        put: (placed, putOptions) => calls.putCommit(branch, placed, putOptions),
      }),
  };
}

function putOptionsOf({ overwrite = false, signal }: StreamOptions): PutOptions {
  return { overwrite, signal };
}

function queryOf(target: UploadTarget | undefined): Query {
  if (target === undefined) return {};
  const { repo } = target;
  return "id" in target ? { repo, commit: target.id } : { repo, branch: target.branch };
}
