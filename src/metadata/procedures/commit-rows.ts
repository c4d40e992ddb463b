import { CodedError } from "../../base/errors.ts";
import { quote } from "../../base/quote.ts";
import {
  commitId,
  parseCommitId,
  type CommitInfo,
  type CommitName,
  type CommitState,
} from "../../model/commit.ts";
import type { Tx } from "../metadata-store.ts";
import { requireRepo } from "./repos.ts";
import { together } from "./together.ts";

/** A commit as it is stored. `delta` and `root` are encoded tree references of storage. */
export interface CommitRow extends Record<string, string | number | Uint8Array | null> {
  uid: string;
  repo: string;
  branch: string;
  number: number;
  parent_uid: string | null;
  state: CommitState;
  archived: number;
  started_micros: number;
  finished_micros: number | null;
  finish_number: number | null;
  size_bytes: number;
  next_seq: number;
  delta: Buffer | null;
  root: Buffer | null;
  /** 1: made by one request, with everything in it; never takes another write. */
  whole: number;
  /** The job that writes it; nobody else may. */
  job_id: string | null;
  token: string;
  lease_micros: number;
}

/** Who resolves a name: only `exact` names of branches and commits, or unique prefixes too. */
export type Matching = "exact" | "prefix";

/** The commit with this uid. */
export async function requireUid(tx: Tx, uid: string): Promise<CommitRow> {
  const row = await tx.get<CommitRow>(`SELECT * FROM commits WHERE uid = ?`, uid);
  if (row === undefined)
    throw new CodedError("not_found", `commit ${uid} not found: it was deleted with its repo`, {
      details: { commit: uid },
    });
  return row;
}

/** The newest commit of a branch. */
export async function headOf(tx: Tx, repo: string, branch: string): Promise<CommitRow | undefined> {
  return await tx.get<CommitRow>(
    `SELECT * FROM commits WHERE repo = ? AND branch = ? ORDER BY number DESC LIMIT 1`,
    repo,
    branch,
  );
}

/** `branch/N` as it is. */
export async function commitAt(
  tx: Tx,
  repo: string,
  branch: string,
  number: number,
): Promise<CommitRow | undefined> {
  return await tx.get<CommitRow>(
    `SELECT * FROM commits WHERE repo = ? AND branch = ? AND number = ?`,
    repo,
    branch,
    number,
  );
}

/**
 * The commit a person names: `branch/N`, `branch` (its head), or a unique prefix of a branch name
 * in either form.
 *
 * @throws CodedError `not_found`; for a repo that a pipeline writes, with its newest commit
 */
export async function resolveRow(
  tx: Tx,
  name: CommitName,
  matching: Matching = "prefix",
): Promise<CommitRow> {
  const parsed = parseCommitId(name.id);
  const branch = parsed?.branch ?? name.id;
  const find = async (full: string): Promise<CommitRow | undefined> =>
    parsed === undefined
      ? await headOf(tx, name.repo, full)
      : await commitAt(tx, name.repo, full, parsed.number);
  const exact = await find(branch);
  if (exact !== undefined) return exact;
  await requireRepo(tx, name.repo);
  const branches =
    matching === "prefix" && branch !== "" ? await branchesLike(tx, name.repo, branch) : [];
  if (branches.length > 1) {
    throw new CodedError(
      "invalid_argument",
      `commit ${name.id} is ambiguous in repo ${name.repo}: it may be ${branches.slice(0, 3).join(", ")}. Type more characters`,
      { details: { commit: name.id } },
    );
  }
  const found = branches[0] === undefined ? undefined : await find(branches[0]);
  if (found !== undefined) return found;
  throw await commitNotFound(tx, name);
}

async function branchesLike(tx: Tx, repo: string, prefix: string): Promise<string[]> {
  const rows = await tx.all<{ branch: string }>(
    `SELECT DISTINCT branch FROM commits WHERE repo = ? AND branch > ? AND branch < ? AND archived = 0 ORDER BY branch LIMIT 4`,
    repo,
    prefix,
    `${prefix}\uffff`,
  );
  return rows.map((row) => row.branch).filter((branch) => branch.startsWith(prefix));
}

async function commitNotFound(tx: Tx, name: CommitName): Promise<CodedError> {
  const classic = `commit ${name.id} not found in repo ${name.repo}`;
  const details = { repo: name.repo, commit: name.id, classic };
  const plain = `commit ${quote(name.id)} not found in repo ${name.repo}`;
  const newest = await tx.get<CommitRow>(
    `SELECT * FROM commits WHERE repo = ? AND state = 'finished' AND archived = 0 ORDER BY finish_number DESC LIMIT 1`,
    name.repo,
  );
  const pipeline = await tx.get(`SELECT name FROM pipelines WHERE name = ?`, name.repo);
  if (newest === undefined || pipeline === undefined)
    return new CodedError(
      "not_found",
      `${plain}: "pachctl list-commit ${name.repo}" shows what is there`,
      { details },
    );
  const id = commitId(newest.branch, newest.number);
  return new CodedError(
    "not_found",
    `${plain}: a pipeline writes it, its newest output commit is ${name.repo}/${id}\nRead it with "pachctl list-file ${name.repo} ${id}"`,
    { details },
  );
}

/** A stored commit as everyone sees it. */
export async function infoOfRow(tx: Tx, row: CommitRow): Promise<CommitInfo> {
  const [parent, provenance] = await together([
    row.parent_uid === null
      ? undefined
      : tx.get<{ branch: string; number: number }>(
          `SELECT branch, number FROM commits WHERE uid = ?`,
          row.parent_uid,
        ),
    tx.all<{ repo: string; id: string }>(
      `SELECT repo, id FROM commit_upstreams WHERE uid = ? ORDER BY position`,
      row.uid,
    ),
  ]);
  return {
    repo: row.repo,
    id: commitId(row.branch, row.number),
    uid: row.uid,
    branch: row.branch,
    state: row.state,
    archived: row.archived === 1,
    startedMicros: row.started_micros,
    sizeBytes: row.size_bytes,
    provenance,
    ...(parent === undefined ? {} : { parent: commitId(parent.branch, parent.number) }),
    ...(row.finished_micros === null ? {} : { finishedMicros: row.finished_micros }),
  };
}

/** `repo/branch/N`, as people type it. */
export function nameOfRow(row: CommitRow): string {
  return `${row.repo}/${commitId(row.branch, row.number)}`;
}

/** Refuses anyone but the job that a commit belongs to, while that job goes on. */
export function requireOwner(row: CommitRow, jobId: string | undefined): void {
  if (
    row.job_id === null ||
    row.job_id === jobId ||
    row.state === "finished" ||
    row.state === "cancelled"
  )
    return;
  throw new CodedError(
    "failed_precondition",
    `commit ${nameOfRow(row)} is being written by job ${row.job_id}: only the job can write to it and finish it\nWait with "pachctl inspect-job --block ${row.job_id}", or give it up with "pachctl finish-commit --cancel ${row.repo} ${commitId(row.branch, row.number)}"`,
    { details: { repo: row.repo, commit: commitId(row.branch, row.number), job: row.job_id } },
  );
}

/** The newest commit of a line that was not cancelled: what goes on after a cancelled one continues from. */
export async function newestKept(tx: Tx, head: CommitRow): Promise<CommitRow | undefined> {
  let row: CommitRow | undefined = head;
  while (row?.state === "cancelled") {
    row =
      row.parent_uid === null
        ? undefined
        : await tx.get<CommitRow>(`SELECT * FROM commits WHERE uid = ?`, row.parent_uid);
  }
  return row;
}
