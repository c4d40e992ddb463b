import type { RepoInfo } from "../model/repo.ts";
import type { CommitUse, StorageUse } from "../model/storage-use.ts";
import type { CallOptions, Connection } from "./connection.ts";
import { repoUrl } from "./urls.ts";

/** Which commits count: `NORMAL` hides cancelled and archived ones. */
export type CommitStatus = "NORMAL" | "ARCHIVED" | "CANCELLED" | "ALL";

export interface RepoCalls {
  /** @throws CodedError `already_exists`; `invalid_argument` for a bad name or missing provenance */
  create(
    name: string,
    options?: { readonly provenance?: readonly string[] } & CallOptions,
  ): Promise<RepoInfo>;
  /** @throws CodedError `not_found` */
  inspect(name: string, options?: CallOptions): Promise<RepoInfo>;
  /**
   * What its content takes in the store.
   *
   * @throws CodedError `not_found`; `failed_precondition` while somebody else is told
   */
  storage(name: string, options?: CallOptions): Promise<StorageUse>;
  /** What each of its commits takes, open and cancelled ones too. */
  storageOfCommits(name: string, options?: CallOptions): Promise<readonly CommitUse[]>;
  /** All repos by name; with `provenance`, those made from all of the given ones. */
  list(
    options?: { readonly provenance?: readonly string[] } & CallOptions,
  ): Promise<readonly RepoInfo[]>;
  /** @throws CodedError `failed_precondition` when other repos are made from it and `force` is not set */
  delete(name: string, options?: { readonly force?: boolean } & CallOptions): Promise<void>;
  /** Names of the branches, sorted. `status` defaults to NORMAL. */
  branches(
    name: string,
    options?: { readonly status?: CommitStatus } & CallOptions,
  ): Promise<readonly string[]>;
}

export function repoCalls(connection: Connection): RepoCalls {
  return {
    create: (name, { provenance, signal } = {}) =>
      connection.json<RepoInfo>({
        method: "POST",
        path: "/repos",
        json: { name, provenance },
        signal,
      }),
    inspect: (name, { signal } = {}) =>
      connection.json<RepoInfo>({ method: "GET", path: repoUrl(name), signal }),
    async storageOfCommits(name, { signal } = {}) {
      const path = `${repoUrl(name)}/storage/commits`;
      const call = { method: "GET", path, signal } as const;
      return (await connection.json<{ commits: CommitUse[] }>(call)).commits;
    },
    storage: (name, { signal } = {}) =>
      connection.json<StorageUse>({ method: "GET", path: `${repoUrl(name)}/storage`, signal }),
    async list({ provenance, signal } = {}) {
      const answer = await connection.json<{ repos: RepoInfo[] }>({
        method: "GET",
        path: "/repos",
        query: { provenance },
        signal,
      });
      return answer.repos;
    },
    delete: (name, { force, signal } = {}) =>
      connection.json<void>({
        method: "DELETE",
        path: repoUrl(name),
        query: { force },
        signal,
        ...connection.idempotent(),
      }),
    async branches(name, { status, signal } = {}) {
      const path = `${repoUrl(name)}/branches`;
      const answer = await connection.json<{ branches: string[] }>({
        method: "GET",
        path,
        query: { status },
        signal,
      });
      return answer.branches;
    },
  };
}
