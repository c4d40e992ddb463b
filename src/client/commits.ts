import { CodedError } from "../base/errors.ts";
import type { CommitInfo, CommitName } from "../model/commit.ts";
import type { CallOptions, Connection } from "./connection.ts";
import type { CommitStatus } from "./repos.ts";
import { commitText, commitUrl, part, repoUrl, type BranchName } from "./urls.ts";

/** A commit, or with `id` left out all commits of a repo. */
export interface CommitRange {
  readonly repo: string;
  readonly id?: string;
}

export interface ListCommitsOptions extends CallOptions {
  /** These commits and their ancestors, or whole repos. Default: everything. */
  readonly include?: readonly CommitRange[];
  /** Leaves out these commits and their ancestors. */
  readonly exclude?: readonly CommitRange[];
  /** Only commits made from all of these. */
  readonly provenance?: readonly CommitName[];
  /** Default: NORMAL. */
  readonly status?: CommitStatus;
  /** READ: finished ones; WRITE: open ones. Default: NONE, both. */
  readonly type?: "READ" | "WRITE" | "NONE";
  /** When nothing matches, waits for the first commit that does and returns it alone. */
  readonly block?: boolean;
}

export interface FlushOptions extends CallOptions {
  /** Only these repos, and what they are made from, are waited for. */
  readonly toRepos?: readonly string[];
  /** Called once, after five seconds, with the names of what is still waited for. */
  readonly onWait?: (waitingFor: readonly string[]) => void;
}

export interface FinishOptions extends CallOptions {
  /** Called once when an open parent keeps the commit waiting; the message says which and what to do. */
  readonly onWait?: (message: string) => void;
}

export interface CommitCalls {
  /** A child of `parent`: a branch (its newest commit, or a new branch) or `branch/N`. */
  start(
    repo: string,
    parent: string,
    options?: { readonly provenance?: readonly CommitName[] } & CallOptions,
  ): Promise<CommitInfo>;
  /** Waits, without limit, until the parent is finished. */
  finish(commit: CommitName, options?: FinishOptions): Promise<CommitInfo>;
  cancel(commit: CommitName, options?: CallOptions): Promise<CommitInfo>;
  /** A child of `parent` that begins `branch`, which must be new. */
  fork(
    repo: string,
    fork: { readonly parent: string; readonly branch: string },
    options?: { readonly provenance?: readonly CommitName[] } & CallOptions,
  ): Promise<CommitInfo>;
  /** Writes into the open commit `to` what others of its repo have and it has not. Does not finish it. */
  squash(to: CommitName, from: readonly string[], options?: CallOptions): Promise<void>;
  /** Copies commits, with what the branch lacks of their history, as new finished commits on a branch. */
  replay(
    branch: BranchName,
    from: readonly string[],
    options?: CallOptions,
  ): Promise<readonly CommitInfo[]>;
  /**
   * Hides commits, named `branch/N`, and all that was made from them, from lists and from flush. Unknown
   * ones are ignored.
   */
  archive(commits: readonly CommitName[], options?: CallOptions): Promise<void>;
  /** archive() for every commit there is. */
  archiveAll(options?: CallOptions): Promise<void>;
  /**
   * A new head of a branch with the files of an earlier commit of the repo.
   *
   * @throws CodedError `failed_precondition` when the head is open
   */
  revert(branch: BranchName, commit: string, options?: CallOptions): Promise<CommitInfo>;
  /** @throws CodedError `not_found` */
  inspect(commit: CommitName, options?: CallOptions): Promise<CommitInfo>;
  /** Per repo, oldest first. */
  list(options?: ListCommitsOptions): Promise<readonly CommitInfo[]>;
  /** Waits until everything downstream of the commits is done; returns the commits that came of them. */
  flush(commits: readonly CommitName[], options?: FlushOptions): Promise<readonly CommitInfo[]>;
}

const finishWarnAfterMs = 1_000;
const flushWarnAfterMs = 5_000;
/** One call waits no longer than this; the loop around it has no limit. */
export const waitSliceMs = 30_000;

export function commitCalls(connection: Connection): CommitCalls {
  return {
    start: (repo, parent, { provenance, signal } = {}) =>
      connection.json<CommitInfo>({
        method: "POST",
        path: `${repoUrl(repo)}/commits`,
        json: { parent, provenance },
        ...connection.idempotent(),
        signal,
      }),
    finish: (commit, options = {}) => finishCommit(connection, commit, options),
    revert: ({ repo, branch }, commit, { signal } = {}) =>
      connection.json<CommitInfo>({
        method: "POST",
        path: `${repoUrl(repo)}/branches/${part(branch)}/revert`,
        json: { commit },
        ...connection.idempotent(),
        signal,
      }),
    ...rewritingCalls(connection),
    cancel: (commit, { signal } = {}) =>
      connection.json<CommitInfo>({
        method: "POST",
        path: `${commitUrl(commit)}/cancel`,
        ...connection.idempotent(),
        signal,
      }),
    inspect: (commit, { signal } = {}) =>
      connection.json<CommitInfo>({ method: "GET", path: commitUrl(commit), signal }),
    async list({ include, exclude, provenance, status, type, block, signal } = {}) {
      const query = {
        include: include?.map(rangeText),
        exclude: exclude?.map(rangeText),
        provenance: provenance?.map(commitText),
        status,
        type,
        block,
      };
      const answer = await connection.json<{ commits: CommitInfo[] }>({
        method: "GET",
        path: "/commits",
        query,
        signal,
      });
      return answer.commits;
    },
    flush: (commits, options = {}) => flushCommits(connection, commits, options),
  };
}

/** Those that make commits of others, or hide them. */
function rewritingCalls(
  connection: Connection,
): Pick<CommitCalls, "fork" | "squash" | "replay" | "archive" | "archiveAll"> {
  const post = <T>(path: string, json: unknown, { signal }: CallOptions): Promise<T> =>
    connection.json<T>({ method: "POST", path, json, ...connection.idempotent(), signal });
  const branchUrl = (repo: string, branch: string): string =>
    `${repoUrl(repo)}/branches/${part(branch)}`;
  return {
    fork: (repo, { parent, branch }, { provenance, ...options } = {}) =>
      post(`${branchUrl(repo, branch)}/fork`, { parent, provenance }, options),
    squash: (to, from, options = {}) => post(`${commitUrl(to)}/squash`, { from }, options),
    async replay({ repo, branch }, from, options = {}) {
      const path = `${branchUrl(repo, branch)}/replay`;
      return (await post<{ commits: CommitInfo[] }>(path, { from }, options)).commits;
    },
    archive: (commits, options = {}) => post("/archive", { commits }, options),
    archiveAll: (options = {}) => post("/archive-all", {}, options),
  };
}

async function finishCommit(
  connection: Connection,
  commit: CommitName,
  options: FinishOptions,
): Promise<CommitInfo> {
  const key = connection.idempotent();
  for (let waitMs = finishWarnAfterMs; ; waitMs = waitSliceMs) {
    try {
      return await connection.json<CommitInfo>({
        method: "POST",
        path: `${commitUrl(commit)}/finish`,
        query: { waitMs },
        ...key,
        signal: options.signal,
      });
    } catch (error) {
      const isWaiting =
        error instanceof CodedError &&
        error.code === "failed_precondition" &&
        "waitingFor" in error.details;
      if (!isWaiting) throw error;
      if (waitMs === finishWarnAfterMs) options.onWait?.(error.message);
    }
  }
}

interface FlushAnswer {
  readonly done: boolean;
  readonly commits: readonly CommitInfo[];
  readonly waitingFor?: readonly string[];
}

async function flushCommits(
  connection: Connection,
  commits: readonly CommitName[],
  options: FlushOptions,
): Promise<readonly CommitInfo[]> {
  const names = commits.map(({ repo, id }) => ({ repo, id }));
  for (let waitMs = flushWarnAfterMs; ; waitMs = waitSliceMs) {
    const answer = await connection.json<FlushAnswer>({
      method: "POST",
      path: "/flush",
      json: { commits: names, toRepos: options.toRepos, waitMs },
      repeatable: true,
      signal: options.signal,
    });
    if (answer.done) return answer.commits;
    if (waitMs === flushWarnAfterMs) options.onWait?.(answer.waitingFor ?? []);
  }
}

function rangeText(range: CommitRange): string {
  return range.id === undefined ? range.repo : `${range.repo}/${range.id}`;
}
