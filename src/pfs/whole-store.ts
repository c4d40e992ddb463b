import type { CommitName } from "../model/commit.ts";
import type { GarbageReport } from "../model/garbage.ts";
import type { RestoreReport } from "../model/extract-record.ts";
import type { Principal } from "../model/principal.ts";
import type { CommitUse, StorageUse } from "../model/storage-use.ts";
import { collectDueGarbage } from "./collect-garbage.ts";
import { extract, type ExtractOptions } from "./extract.ts";
import type { PfsDeps } from "./pfs-deps.ts";
import { restore, type RestoreInput } from "./restore.ts";
import { weighCommit, weighCommits, weighRepo } from "./weigh-storage.ts";

/** What concerns all that a store holds. */
export class WholeStore {
  private readonly deps: PfsDeps;

  constructor(deps: PfsDeps) {
    this.deps = deps;
  }

  /** See collectDueGarbage(). */
  async collectDueGarbage(
    principal: Principal,
    options: { everyMs: number; signal: AbortSignal },
  ): Promise<GarbageReport | undefined> {
    return await collectDueGarbage(this.deps, principal, options);
  }

  /** See extract(). */
  extract(principal: Principal, options: ExtractOptions): AsyncGenerator<Buffer, void, void> {
    return extract(this.deps, principal, options);
  }

  /** See restore(). */
  async restore(principal: Principal, input: RestoreInput): Promise<RestoreReport> {
    return await restore(this.deps, principal, input);
  }

  /** See weighRepo(). */
  async weighRepo(principal: Principal, name: string, signal: AbortSignal): Promise<StorageUse> {
    return await weighRepo(this.deps, principal, name, signal);
  }

  /** See weighCommits(). */
  async weighCommits(
    principal: Principal,
    repo: string,
    signal: AbortSignal,
  ): Promise<CommitUse[]> {
    return await weighCommits(this.deps, principal, repo, signal);
  }

  /** See weighCommit(). */
  async weighCommit(
    principal: Principal,
    commit: CommitName,
    signal: AbortSignal,
  ): Promise<StorageUse> {
    return await weighCommit(this.deps, principal, commit, signal);
  }
}
