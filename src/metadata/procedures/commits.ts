import { CodedError } from "../../base/errors.ts";
import {
  commitId,
  parseCommitId,
  requireBranchName,
  type CommitInfo,
  type CommitName,
  type BranchesShown,
} from "../../model/commit.ts";
import type { Procedure, Tx } from "../metadata-store.ts";
import {
  commitAt,
  headOf,
  infoOfRow,
  newestKept,
  requireUid,
  resolveRow,
  type CommitRow,
  type Matching,
} from "./commit-rows.ts";
import { findAnswer, keepAnswer } from "./requests.ts";
import { requireRepo } from "./repos.ts";
import { eachTogether, together } from "./together.ts";

/** What every way of starting a commit needs. `uid` is fresh and random. */
export interface NewCommit {
  readonly repo: string;
  /** `branch` (a child of its head, or a new branch) or `branch/N` (a child of just that commit). */
  readonly parent: string;
  /** Begins this branch, which must be new, behind the parent. */
  readonly fork?: string;
  readonly provenance: readonly CommitName[];
  readonly uid: string;
}

/** Starts a commit; the answer is kept under `key`. */
export const startCommit: Procedure<NewCommit & { key?: string }, CommitInfo> = async (
  tx,
  input,
) => {
  const answered = await findAnswer<CommitInfo>(tx, input.key);
  if (answered !== undefined) return answered;
  const row = await insertCommit(tx, input);
  const info = await infoOfRow(tx, row);
  await keepAnswer(tx, input.key, info);
  return info;
};

/** The commit of a branch that takes writes: its head while that is open, else a new one under this uid. */
export const openHead: Procedure<
  { repo: string; branch: string; uid: string },
  CommitDetail
> = async (tx, { repo, branch, uid }) => {
  await requireRepo(tx, repo);
  requireBranchName(branch);
  const head = await headOf(tx, repo, branch);
  if (head?.state === "open") return await detailOf(tx, head);
  return await detailOf(tx, await insertCommit(tx, { repo, parent: branch, provenance: [], uid }));
};

/** Writes the row of a new open commit and its provenance. */
export async function insertCommit(tx: Tx, input: NewCommit): Promise<CommitRow> {
  await requireRepo(tx, input.repo);
  const place =
    input.fork === undefined
      ? await placeOf(tx, input.repo, input.parent)
      : await forkOf(tx, { repo: input.repo, id: input.parent }, input.fork);
  const row = await tx.get<CommitRow>(
    `INSERT INTO commits (uid, repo, branch, number, parent_uid, state, archived, started_micros, size_bytes, next_seq, whole, token, lease_micros)
     VALUES (?, ?, ?, ?, ?, 'open', 0, ?, 0, 1, 0, '', 0) RETURNING *`,
    input.uid,
    input.repo,
    place.branch,
    place.number,
    place.parentUid,
    tx.nowMicros,
  );
  if (input.provenance.length === 0) return row!;
  await insertProvenance(tx, input);
  return await requireUid(tx, input.uid);
}

async function forkOf(
  tx: Tx,
  parent: CommitName,
  branch: string,
): Promise<{ branch: string; number: number; parentUid: string | null }> {
  requireBranchName(branch);
  const { uid } = await resolveRow(tx, parent);
  if ((await commitAt(tx, parent.repo, branch, 0)) !== undefined)
    throw alreadyThere(parent.repo, branch, 0, "choose another branch name");
  return { branch, number: 0, parentUid: uid };
}

function alreadyThere(repo: string, branch: string, number: number, remedy: string): CodedError {
  const id = commitId(branch, number);
  return new CodedError(
    "already_exists",
    `commit ${repo}/${id} already exists in repo ${repo}: ${remedy}`,
    {
      details: {
        repo,
        commit: id,
        classic: `commit ${repo}:${branch}:${number} already exists in repo ${repo}`,
      },
    },
  );
}

async function placeOf(
  tx: Tx,
  repo: string,
  parent: string,
): Promise<{ branch: string; number: number; parentUid: string | null }> {
  if (parent === "") {
    const classic = `Invalid parent commit: ${repo}/`;
    throw new CodedError("invalid_argument", `${classic}: name a branch, such as master`, {
      details: { classic },
    });
  }
  const parsed = parseCommitId(parent);
  if (parsed === undefined) {
    requireBranchName(parent);
    const head = await headOf(tx, repo, parent);
    if (head === undefined) return { branch: parent, number: 0, parentUid: null };
    return {
      branch: parent,
      number: head.number + 1,
      parentUid: (await newestKept(tx, head))?.uid ?? null,
    };
  }
  const row = await commitAt(tx, repo, parsed.branch, parsed.number);
  if (row === undefined)
    throw new CodedError(
      "not_found",
      `commit ${parent} not found in repo ${repo}: "pachctl list-commit ${repo}" shows what is there`,
      {
        details: { repo, commit: parent, classic: `commit ${parent} not found in repo ${repo}` },
      },
    );
  const number = parsed.number + 1;
  if ((await commitAt(tx, repo, parsed.branch, number)) !== undefined) {
    const remedy = `start from branch "${parsed.branch}" to continue after it`;
    throw alreadyThere(repo, parsed.branch, number, remedy);
  }
  return { branch: parsed.branch, number, parentUid: row.uid };
}

/** Direct provenance in the order given, then what each of those was made from. */
async function insertProvenance(tx: Tx, input: NewCommit): Promise<void> {
  const direct = (
    await tx.all<{ upstream: string }>(
      `SELECT upstream FROM repo_upstreams WHERE repo = ?`,
      input.repo,
    )
  ).map((row) => row.upstream);
  const rows: CommitRow[] = [];
  for (const name of input.provenance) {
    if (!direct.includes(name.repo)) {
      throw new CodedError(
        "failed_precondition",
        `cannot use ${name.repo}/${name.id} as provenance, ${name.repo} is not provenance of ${input.repo}`,
        { details: { repo: input.repo } },
      );
    }
    rows.push(await resolveRow(tx, name));
  }
  const all = new Map(
    rows.map((row) => [
      row.uid,
      { uid: row.uid, repo: row.repo, id: commitId(row.branch, row.number) },
    ]),
  );
  for (const row of rows) {
    for (const up of await tx.all<{ upstream_uid: string; repo: string; id: string }>(
      `SELECT upstream_uid, repo, id FROM commit_upstreams WHERE uid = ? ORDER BY position`,
      row.uid,
    )) {
      if (!all.has(up.upstream_uid))
        all.set(up.upstream_uid, { uid: up.upstream_uid, repo: up.repo, id: up.id });
    }
  }
  let position = 0;
  for (const up of all.values()) {
    await tx.run(
      `INSERT INTO commit_upstreams (uid, position, upstream_uid, repo, id) VALUES (?, ?, ?, ?, ?)`,
      input.uid,
      position++,
      up.uid,
      up.repo,
      up.id,
    );
  }
  if (rows.some((row) => row.archived === 1))
    await tx.run(`UPDATE commits SET archived = 1 WHERE uid = ?`, input.uid);
}

/** Everything pfs needs to read a commit. */
export interface CommitDetail {
  readonly info: CommitInfo;
  readonly parentUid: string | null;
  /** The parent's root, once it has one. */
  readonly parentRoot: Buffer | null;
  readonly delta: Buffer | null;
  readonly root: Buffer | null;
  /** Staged runs exist with sequence numbers below this. */
  readonly nextSeq: number;
}

/** One commit, by any name a person may use. */
export const findCommit: Procedure<CommitName & { matching?: Matching }, CommitDetail> = async (
  tx,
  name,
) => await detailOf(tx, await resolveRow(tx, name, name.matching));

/** The commit that one started now from `parent` would continue; null for the first of a branch. */
export const parentOfNext: Procedure<
  { repo: string; parent: string },
  CommitDetail | null
> = async (tx, { repo, parent }) => {
  await requireRepo(tx, repo);
  const { parentUid } = await placeOf(tx, repo, parent);
  return parentUid === null ? null : await detailOf(tx, await requireUid(tx, parentUid));
};

/** One commit by uid. */
export const commitByUid: Procedure<{ uid: string }, CommitDetail> = async (tx, { uid }) =>
  await detailOf(tx, await requireUid(tx, uid));

async function detailOf(tx: Tx, row: CommitRow): Promise<CommitDetail> {
  const [parent, info] = await together([
    row.parent_uid === null
      ? undefined
      : tx.get<{ root: Buffer | null }>(`SELECT root FROM commits WHERE uid = ?`, row.parent_uid),
    infoOfRow(tx, row),
  ]);
  return {
    info,
    parentUid: row.parent_uid,
    parentRoot: parent?.root ?? null,
    delta: row.delta,
    root: row.root,
    nextSeq: row.next_seq,
  };
}

/** Ids of commits by uid, as trees name them; deleted ones are left out. */
export const commitNames: Procedure<{ uids: string[] }, Record<string, CommitName>> = async (
  tx,
  { uids },
) => {
  const names: Record<string, CommitName> = {};
  await eachTogether(uids, async (uid) => {
    const row = await tx.get<{ repo: string; branch: string; number: number }>(
      `SELECT repo, branch, number FROM commits WHERE uid = ?`,
      uid,
    );
    if (row !== undefined) names[uid] = { repo: row.repo, id: commitId(row.branch, row.number) };
  });
  return names;
};

/** Ancestors of a commit, itself first, until `stopUid` (left out) or the beginning. */
export const ancestry: Procedure<
  { uid: string; stopUid?: string },
  { uid: string; delta: Buffer | null }[]
> = async (tx, { uid, stopUid }) => {
  const line: { uid: string; delta: Buffer | null }[] = [];
  let next: string | null = uid;
  while (next !== null && next !== stopUid) {
    const row: CommitRow = await requireUid(tx, next);
    line.push({ uid: row.uid, delta: row.delta });
    next = row.parent_uid;
  }
  return line;
};

/** Branches of a repo by name. */
export const listBranches: Procedure<{ repo: string; show: BranchesShown }, string[]> = async (
  tx,
  { repo, show },
) => {
  await requireRepo(tx, repo);
  // From branch to branch, not through the commits of each.
  const names = await tx.all<{ branch: string }>(
    `WITH RECURSIVE names (branch) AS (
       SELECT MIN(branch) FROM commits WHERE repo = ?
       UNION ALL SELECT (SELECT MIN(c.branch) FROM commits c WHERE c.repo = ? AND c.branch > names.branch) FROM names WHERE names.branch IS NOT NULL)
     SELECT branch FROM names WHERE branch IS NOT NULL ORDER BY branch`,
    repo,
    repo,
  );
  const listed: string[] = [];
  for (const { branch } of names) {
    const head = await headOf(tx, repo, branch);
    const row = show === "going on" && head !== undefined ? await newestKept(tx, head) : head;
    const isShown = row?.branch === branch && row.archived === 0 && row.state !== "cancelled";
    if (show === "all" || isShown) listed.push(branch);
  }
  return listed;
};
