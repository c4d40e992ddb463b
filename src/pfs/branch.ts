import { CodedError, isCoded } from "../base/errors.ts";
import { randomHex } from "../base/random.ts";
import { recordFormatOf } from "../chunking/index.ts";
import { requireBranchName, type CommitInfo, type CommitName } from "../model/commit.ts";
import { keyOfPath, parseEntryPath } from "../model/paths.ts";
import type { Principal } from "../model/principal.ts";
import { nothingSealed, type CommitDetail, type Sealed } from "../metadata/index.ts";
import { encodeRun, normalizeRun, type Entry } from "../storage/index.ts";
import { giveCommitHints, startCommit } from "./commits.ts";
import { clearedEntry } from "./delete-file.ts";
import { refuseTypeConflicts } from "./file-conflicts.ts";
import { listFiles } from "./files.ts";
import { finishCommit, type FinishOptions } from "./finish-commit.ts";
import { ingesting, type PutFile } from "./ingest-files.ts";
import type { PfsDeps } from "./pfs-deps.ts";
import { createRepo } from "./repos.ts";

/** So often the commit may end between being found and being written to, before the caller is told. */
const attemptsMax = 20;

/** What a write came to: the commit it is in. */
export interface BranchWrite {
  readonly commit: CommitName;
  readonly bytes: number;
}

/**
 * A branch for those who do not name commits: writes go to its open commit, which is started when there is none.
 * The repo is made by the first write.
 */
export class Branch {
  private readonly deps: PfsDeps;
  private readonly principal: Principal;
  private readonly repo: string;
  private readonly name: string;

  /** @throws CodedError `invalid_argument` for a name that no branch can have */
  constructor(deps: PfsDeps, principal: Principal, { repo, name }: { repo: string; name: string }) {
    requireBranchName(name);
    this.deps = deps;
    this.principal = principal;
    this.repo = repo;
    this.name = name;
  }

  /** Its newest commit, open or not. @throws CodedError `not_found` when there is none */
  async head(): Promise<CommitInfo> {
    const exact = { repo: this.repo, id: this.name, matching: "exact" as const };
    return (await this.deps.metadata.call("findCommit", exact)).info;
  }

  /**
   * Writes one file: all of it or nothing, durable when it resolves. A commit that ends while the bytes come in
   * has nothing of it; the next one has.
   *
   * @throws CodedError `failed_precondition` when the path conflicts
   */
  async put(file: PutFile, signal: AbortSignal): Promise<BranchWrite> {
    const { storage, clock } = this.deps;
    const path = parseEntryPath(file.path);
    const format = file.format ?? recordFormatOf(path);
    return await ingesting(storage, async (ingest) => {
      const content = Buffer.isBuffer(file.content)
        ? await ingest.putBytes(file.content, format)
        : await ingest.putContent(file.content, format, signal);
      const written: Entry = {
        key: keyOfPath(path),
        type: "file",
        reset: file.overwrite,
        clear: false,
        content,
        modifiedMicros: clock.nowMicros(),
        commit: Buffer.alloc(16),
      };
      const entries = await normalizeRun([written], storage.nodes, ingest.nodes);
      const sealed = await ingest.seal();
      return await this.stage(entries, { sealed, bytes: content.bytes });
    });
  }

  /**
   * Deletes a file, or a directory without files.
   *
   * @throws CodedError `not_found`; `failed_precondition` for a directory that is not empty
   */
  async delete(typed: string): Promise<BranchWrite> {
    const path = parseEntryPath(typed);
    const { id } = await this.head();
    const { files } = await listFiles(this.deps, this.principal, {
      commit: { repo: this.repo, id },
      path,
      query: { recurse: false, limit: 1 },
    }).catch((error: unknown) => {
      // Of two writes at once that conflict, one must be deleted before anything can be read.
      if (isCoded(error, "failed_precondition")) return { files: [] };
      throw error;
    });
    if (files[0] !== undefined && files[0].path !== path)
      throw new CodedError(
        "failed_precondition",
        `Cannot delete /${path}: it is a directory with files in it. Delete those first, or all at once with "pachctl delete-file ${this.repo} ${id} ${path}"`,
        { details: { repo: this.repo, commit: id, path } },
      );
    const modifiedMicros = this.deps.clock.nowMicros();
    const cleared = clearedEntry(path, { uid: "00".repeat(16), modifiedMicros });
    return await this.stage([cleared], { sealed: nothingSealed, bytes: 0 });
  }

  /**
   * Finishes the open commit, started for this when there is none.
   *
   * @throws CodedError `failed_precondition` when its parent is still open after `waitMs`, or files conflict
   */
  async finish(options: FinishOptions): Promise<CommitInfo> {
    const { info } = await this.open();
    const commit = { repo: this.repo, id: info.id };
    return await finishCommit(this.deps, this.principal, { commit, ...options });
  }

  /**
   * Begins this branch, which must be new, behind a finished commit.
   *
   * @param id any name of the commit
   * @throws CodedError `not_found`, `already_exists`; `failed_precondition` for a commit that may still change
   */
  async begin(id: string): Promise<CommitInfo> {
    const { repo, name } = this;
    const { info } = await this.deps.metadata.call("findCommit", { repo, id });
    if (info.state !== "finished")
      throw new CodedError(
        "failed_precondition",
        `Cannot begin branch ${name} behind commit ${repo}/${info.id}: it is ${info.state === "cancelled" ? "cancelled. Name another" : "open. Finish it first, or name another"} commit`,
        { details: { repo, commit: info.id } },
      );
    const from = { repo, parent: info.id, fork: name, provenance: [] };
    await startCommit(this.deps, this.principal, from);
    return info;
  }

  /** Writes to the open commit; when that has ended meanwhile, to the next. */
  private async stage(
    entries: readonly Entry[],
    { sealed, bytes }: { sealed: Sealed; bytes: number },
  ): Promise<BranchWrite> {
    for (let attempt = 1; ; attempt++) {
      const detail = await this.open();
      const { uid, id } = detail.info;
      await refuseTypeConflicts(this.deps.openRoots, detail, entries);
      const commit = Buffer.from(uid, "hex");
      const blob = encodeRun(entries.map((entry) => ({ ...entry, commit })));
      const run = { entries: blob, root: null, bytes };
      try {
        await this.deps.metadata.call("stageRun", { uid, run, sealed, answer: "{}" });
      } catch (error) {
        const hasEnded = isCoded(error) && error.details["reason"] === "commit_finished";
        if (hasEnded && attempt < attemptsMax) continue;
        throw error;
      }
      giveCommitHints(this.deps, uid);
      return { commit: { repo: this.repo, id }, bytes };
    }
  }

  /** The commit that takes writes. */
  private async open(): Promise<CommitDetail> {
    const { repo, name: branch } = this;
    const find = async (): Promise<CommitDetail> =>
      await this.deps.metadata.call("openHead", {
        repo,
        branch,
        uid: randomHex(this.deps.random),
      });
    const detail = await find().catch(async (error: unknown) => {
      if (!isCoded(error, "not_found")) throw error;
      await this.makeRepo();
      return await find();
    });
    giveCommitHints(this.deps, detail.info.uid);
    return detail;
  }

  private async makeRepo(): Promise<void> {
    const repo = { name: this.repo, provenance: [] };
    await createRepo(this.deps, this.principal, repo).catch((error: unknown) => {
      if (!isCoded(error, "already_exists")) throw error;
    });
  }
}
