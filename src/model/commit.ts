import { CodedError } from "../base/errors.ts";

/** Lives open → closing → finished or cancelled. `closing` is shown to users as open. */
/**
 * Which branches a list has. `going on`: those whose newest commit that was not cancelled is not archived;
 * `live head`: those whose newest commit is neither, as in the 1.2 series; or `all`.
 */
export type BranchesShown = "going on" | "live head" | "all";

export type CommitState = "open" | "closing" | "finished" | "cancelled";

/** Names a commit by repo and id; the id is `branch/N`. */
export interface CommitName {
  readonly repo: string;
  readonly id: string;
}

/** A commit as every list and inspection shows it. Times are microseconds since 1970. */
export interface CommitInfo extends CommitName {
  /** Identity that no other commit ever has; 32 hex characters. */
  readonly uid: string;
  readonly branch: string;
  readonly parent?: string;
  readonly state: CommitState;
  readonly archived: boolean;
  readonly startedMicros: number;
  readonly finishedMicros?: number;
  /** Bytes this commit added: its own writes, not the whole tree. */
  readonly sizeBytes: number;
  readonly provenance: readonly CommitName[];
}

/** `branch/N` taken apart; undefined for anything else, which then is a branch name. */
export function parseCommitId(id: string): { branch: string; number: number } | undefined {
  const parts = id.split("/");
  const [branch, number] = parts;
  if (parts.length !== 2 || branch === undefined || branch === "" || number === undefined)
    return undefined;
  if (!/^\d{1,15}$/.test(number)) return undefined;
  return { branch, number: Number(number) };
}

/** `branch/N`. */
export function commitId(branch: string, number: number): string {
  return `${branch}/${number}`;
}

/** @throws CodedError `invalid_argument` for a name that no branch can have */
export function requireBranchName(branch: string): void {
  if (!/[/\0-\x20\x7f]/.test(branch) && branch.length > 0 && branch.length <= 255) return;
  throw new CodedError(
    "invalid_argument",
    `Cannot start a commit on branch ${JSON.stringify(branch)}: a branch name has no "/", no spaces and at most 255 characters`,
    { details: { branch } },
  );
}

/**
 * Refuses a write to a commit that has ended.
 *
 * @throws CodedError `failed_precondition` with `details.reason` `commit_finished`
 */
export function requireOpen(commit: CommitName & { branch: string; state: CommitState }): void {
  const { repo, id, branch, state } = commit;
  if (state === "open") return;
  const classic = `commit ${repo}:${id.replace("/", ":")} in repo ${repo} has already finished`;
  const end = state === "cancelled" ? "been cancelled" : "finished";
  throw new CodedError(
    "failed_precondition",
    `commit ${repo}/${id} has already ${end}: it can not be written to\nStart a new one with "pachctl start-commit ${repo} ${branch}", or put with -c`,
    { details: { repo, commit: id, reason: "commit_finished", classic } },
  );
}
