import { unpackTar } from "../../../src/client/index.ts";
import type { CommitInfo } from "../../../src/model/commit.ts";
import type { TestDaemon } from "./daemon.ts";

/** The daemon, or the connection to it, went away before the answer was whole. */
export class LostAnswer extends Error {}

/** The daemon said that it could not do it now: its disk, database or object store fails. */
export class FaultAnswer extends Error {}

const faultStatuses = new Set([503, 507]);

/** A request as it can be sent again: the key makes both sendings one. */
export interface KeyedRequest {
  readonly path: string;
  readonly key?: string;
  readonly json?: object;
  readonly body?: Buffer;
}

/**
 * Sends a request; its JSON answer.
 *
 * @throws LostAnswer when there was no answer, FaultAnswer when the daemon could not, Error for any other
 *   answer that is no success
 */
export async function send<T>(daemon: TestDaemon, request: KeyedRequest): Promise<T> {
  const { path, key, json, body } = request;
  const { status, text } = await answerTo(daemon, path, {
    method: "POST",
    headers: {
      ...(key === undefined ? {} : { "idempotency-key": key }),
      "content-type": json === undefined ? "application/octet-stream" : "application/json",
    },
    body: json === undefined ? (body ?? null) : JSON.stringify(json),
  });
  if (faultStatuses.has(status)) throw new FaultAnswer(`POST ${path} was answered ${text}`);
  if (status >= 300) throw new Error(`POST ${path} was answered ${status}: ${text}`);
  return JSON.parse(text) as T;
}

async function answerTo(
  daemon: TestDaemon,
  path: string,
  init: RequestInit,
): Promise<{ status: number; text: string }> {
  try {
    const response = await daemon.fetch(path, init);
    return { status: response.status, text: await response.text() };
  } catch (error) {
    throw new LostAnswer(`no answer to ${path}`, { cause: error });
  }
}

async function getJson<T>(daemon: TestDaemon, path: string): Promise<T> {
  const response = await daemon.fetch(path);
  if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

/** Every file of a commit, byte by byte. */
export async function readCommit(
  daemon: TestDaemon,
  { repo, id }: { repo: string; id: string },
): Promise<Map<string, Buffer>> {
  const path = `/repos/${repo}/commits/${encodeURIComponent(id)}/tar/`;
  const response = await daemon.fetch(path);
  if (!response.ok || response.body === null)
    throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
  const files = new Map<string, Buffer>();
  for await (const file of unpackTar(response.body)) {
    const pieces: Uint8Array[] = [];
    for await (const piece of file.content) pieces.push(piece);
    files.set(file.path, Buffer.concat(pieces));
  }
  return files;
}

/** Commits of a repo, oldest first, cancelled ones left out. */
export async function commitsOf(daemon: TestDaemon, repo: string): Promise<CommitInfo[]> {
  const { commits } = await getJson<{ commits: CommitInfo[] }>(daemon, `/commits?include=${repo}`);
  return commits;
}

/** Commits of all repos that take writes, or are about to finish. */
export async function openCommits(daemon: TestDaemon): Promise<CommitInfo[]> {
  const path = "/commits?type=WRITE&status=ALL";
  return (await getJson<{ commits: CommitInfo[] }>(daemon, path)).commits;
}

/** Waits for everything that a commit causes; it and what came of it. */
export async function flush(
  daemon: TestDaemon,
  commit: { repo: string; id: string },
): Promise<CommitInfo[]> {
  const json = { commits: [commit], waitMs: 120_000 };
  const answer = await send<{ done: boolean; commits: CommitInfo[] }>(daemon, {
    path: "/flush",
    json,
  });
  if (!answer.done)
    throw new Error(`what ${commit.repo}/${commit.id} caused did not end: ${daemon.log}`);
  return answer.commits;
}
