import { randomHex } from "../base/random.ts";
import type { BranchesShown, CommitInfo, CommitName } from "../model/commit.ts";
import type { Principal } from "../model/principal.ts";
import type { ListCommitsInput } from "../metadata/index.ts";
import type { PfsDeps } from "./pfs-deps.ts";

/** What a new commit continues, and what it is made from. */
export interface StartCommitInput {
  readonly repo: string;
  /** A branch (its head, or a new branch) or `branch/N`. */
  readonly parent: string;
  /** Begins this branch, which must be new, behind the parent. */
  readonly fork?: string;
  readonly provenance: readonly CommitName[];
  /** A request repeated with the same key gets the first answer again. */
  readonly key?: string;
}

/** Starts a commit: it takes writes until it is finished. */
export async function startCommit(
  deps: PfsDeps,
  _principal: Principal,
  input: StartCommitInput,
): Promise<CommitInfo> {
  const info = await deps.metadata.call("startCommit", { ...input, uid: randomHex(deps.random) });
  giveCommitHints(deps, info.uid);
  return info;
}

/** One commit, by any name a person may use. Of an open one, the size so far. */
export async function inspectCommit(
  deps: PfsDeps,
  _principal: Principal,
  name: CommitName,
): Promise<CommitInfo> {
  const { info } = await deps.metadata.call("findCommit", name);
  if (info.state === "finished") return info;
  return { ...info, sizeBytes: await deps.metadata.call("stagedBytes", { uid: info.uid }) };
}

/** Commits that match, per repo by branch and number; `block` waits until there is one. */
export async function listCommits(
  deps: PfsDeps,
  _principal: Principal,
  input: ListCommitsInput & { block: boolean; signal: AbortSignal },
): Promise<CommitInfo[]> {
  const { block, signal, ...query } = input;
  if (!block) return await deps.metadata.call("listCommits", query);
  return await deps.hints.until(
    "commits",
    async () => {
      const found = await deps.metadata.call("listCommits", query);
      return found.length === 0 ? undefined : found.slice(0, 1);
    },
    { clock: deps.clock, signal },
  );
}

/** Branch names of a repo. */
export async function listBranches(
  deps: PfsDeps,
  _principal: Principal,
  input: { repo: string; show: BranchesShown },
): Promise<string[]> {
  return await deps.metadata.call("listBranches", input);
}

/** Ends an open commit without making it a result; it stays readable by id. */
export async function cancelCommit(
  deps: PfsDeps,
  _principal: Principal,
  name: CommitName,
): Promise<CommitInfo> {
  const { info } = await deps.metadata.call("findCommit", name);
  const cancelled = await deps.metadata.call("cancelCommit", { uid: info.uid });
  giveCommitHints(deps, info.uid);
  return cancelled;
}

/** Wakes everyone who may wait for a change of this commit. */
export function giveCommitHints(deps: Pick<PfsDeps, "hints">, uid: string): void {
  deps.hints.give(`commit:${uid}`);
  deps.hints.give("commits");
}
