import { isCoded } from "../base/errors.ts";
import { localProof, localProofHeader, localSecretPattern } from "../base/local-proof.ts";
import type { CommitInfo, CommitName } from "../model/commit.ts";
import type { CallOptions, Connection } from "./connection.ts";
import type { BranchName, PutOptions } from "./files.ts";
import { commitUrl, part, repoUrl } from "./urls.ts";

/** The machine that a client runs on. */
export interface LocalMachine {
  /** Which files paths lead to, see fileView(); undefined when that is not known. */
  fileView(): Promise<string | undefined>;
  /** The text of a small file; undefined when it cannot be read. */
  readText(path: string): Promise<string | undefined>;
}

/** A file that the daemon reads itself. */
export interface LocalFile {
  /** Where it goes. */
  readonly path: string;
  /** Where it is: an absolute path. */
  readonly local: string;
}

/** Files are named anew for each try. */
export type LocalNames = () => Iterable<LocalFile> | AsyncIterable<LocalFile>;

/** Calls of a client on the daemon's own machine, of a user who may read what the daemon may. */
export interface LocalCalls {
  /** Appends files that the daemon reads to files of an open commit (or replaces them): all of them or none. */
  put(
    commit: CommitName,
    files: LocalNames,
    options?: PutOptions,
  ): Promise<{ readonly files: number; readonly bytes: number }>;
  /** put() as one new finished commit on a branch. */
  putCommit(branch: BranchName, files: LocalNames, options?: PutOptions): Promise<CommitInfo>;
}

/** Names leave together. */
const sliceBytesMin = 64 * 1_024;

/** Finds out whether the daemon can read our files itself: undefined when it cannot, for whatever reason. */
export async function openLocal(
  connection: Connection,
  machine: LocalMachine,
  options: CallOptions = {},
): Promise<LocalCalls | undefined> {
  const proof = await prove(connection, machine, options);
  if (proof === undefined) return undefined;
  const post = async <T>(path: string, files: LocalNames, put: PutOptions = {}): Promise<T> => {
    const { headers, repeatable } = connection.idempotent();
    return await connection.json<T>({
      method: "POST",
      path: `${path}/local`,
      query: { overwrite: put.overwrite, delimiter: put.delimiter },
      body: () => linesOf(files()),
      headers: { ...headers, [localProofHeader]: proof, "content-type": "application/x-ndjson" },
      repeatable,
      signal: put.signal,
    });
  };
  return {
    put: (commit, files, put) => post(commitUrl(commit), files, put),
    putCommit: ({ repo, branch }, files, put) =>
      post(`${repoUrl(repo)}/branches/${part(branch)}`, files, put),
  };
}

/** Nothing is told to a daemon elsewhere, and nothing that does not look like a secret to anyone. */
async function prove(
  connection: Connection,
  machine: LocalMachine,
  { signal }: CallOptions,
): Promise<string | undefined> {
  if (!connection.isLoopback) return undefined;
  const view = await machine.fileView();
  if (view === undefined) return undefined;
  const asked = await connection
    .jsonFrom<{ view: string; secretFile: string }>({ method: "GET", path: "/local", signal })
    .catch((error: unknown) => {
      // Also an older daemon, which has no such route.
      if (isCoded(error, "not_found")) return undefined;
      throw error;
    });
  if (asked?.value.view !== view) return undefined;
  const secret = await machine.readText(asked.value.secretFile);
  if (secret === undefined || !localSecretPattern.test(secret)) return undefined;
  return localProof(secret, asked);
}

async function* linesOf(
  files: Iterable<LocalFile> | AsyncIterable<LocalFile>,
): AsyncGenerator<Buffer, void, void> {
  let lines = "";
  for await (const { path, local } of files) {
    lines += `${JSON.stringify([path, local])}\n`;
    if (lines.length < sliceBytesMin) continue;
    yield Buffer.from(lines);
    lines = "";
  }
  if (lines !== "") yield Buffer.from(lines);
}
