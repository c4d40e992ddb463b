import { commitId, parseCommitId } from "../../model/commit.ts";
import type { Tx } from "../metadata-store.ts";
import type { CommitRow } from "./commit-rows.ts";
import { upstreamsOf } from "./repos.ts";

/** A finished commit with all that it was made from. */
export interface SourcedCommit {
  readonly uid: string;
  readonly repo: string;
  readonly id: string;
  readonly parentUid: string | null;
  /** uid of the commit of each repo it was made from, and its own under its own repo. */
  readonly sources: Readonly<Record<string, string>>;
}

/** Two commits go together when they name the same commit of every repo that both were made from. */
export function areConsistent(a: SourcedCommit, b: SourcedCommit): boolean {
  return Object.entries(a.sources).every(
    ([repo, uid]) => b.sources[repo] === undefined || b.sources[repo] === uid,
  );
}

/** A stored commit with what it was made from. */
export async function sourced(tx: Tx, row: CommitRow): Promise<SourcedCommit> {
  const sources: Record<string, string> = {};
  for (const up of await tx.all<{ repo: string; upstream_uid: string }>(
    `SELECT repo, upstream_uid FROM commit_upstreams WHERE uid = ?`,
    row.uid,
  )) {
    sources[up.repo] = up.upstream_uid;
  }
  sources[row.repo] = row.uid;
  return {
    uid: row.uid,
    repo: row.repo,
    id: commitId(row.branch, row.number),
    parentUid: row.parent_uid,
    sources,
  };
}

/** The parent of a commit with what it was made from. */
export async function parentOf(tx: Tx, commit: SourcedCommit): Promise<SourcedCommit | undefined> {
  if (commit.parentUid === null) return undefined;
  const row = await tx.get<CommitRow>(`SELECT * FROM commits WHERE uid = ?`, commit.parentUid);
  return row === undefined ? undefined : await sourced(tx, row);
}

/** What had finished before a number, and was not archived. */
const finishedBefore = `c.state = 'finished' AND c.archived = 0 AND c.finish_number < ?`;

/**
 * Commits of `repo` that go with `commit`, of what had finished before it: those made from the same
 * sources, or, where they have none in common, from the newest. One that another continues, or whose
 * sources another's continue, has had its turn.
 */
export async function offered(
  tx: Tx,
  commit: SourcedCommit,
  repo: string,
  before: number,
): Promise<SourcedCommit[]> {
  const candidates: SourcedCommit[] = [];
  for (const row of await candidateRows(tx, commit, repo, before)) {
    const candidate = await sourced(tx, row);
    if (areConsistent(commit, candidate)) candidates.push(candidate);
  }
  const continued = new Set(candidates.map((candidate) => candidate.parentUid));
  const leaves: { commit: SourcedCommit; ids: ReadonlyMap<string, string> }[] = [];
  for (const candidate of candidates) {
    if (!continued.has(candidate.uid))
      leaves.push({ commit: candidate, ids: await sourceIds(tx, candidate) });
  }
  const newest = leaves.filter(
    (leaf) => !leaves.some((other) => isSuperseded(repo, leaf.ids, other.ids)),
  );
  return newest.map((leaf) => leaf.commit);
}

/** Ids of the commits that one was made from, by repo. */
async function sourceIds(tx: Tx, commit: SourcedCommit): Promise<Map<string, string>> {
  const rows = await tx.all<{ repo: string; id: string }>(
    `SELECT repo, id FROM commit_upstreams WHERE uid = ?`,
    commit.uid,
  );
  return new Map(rows.map((row) => [row.repo, row.id]));
}

/** Whether each source of the one is the other's or an earlier one of its branch, and one of them is earlier. */
function isSuperseded(
  own: string,
  ids: ReadonlyMap<string, string>,
  others: ReadonlyMap<string, string>,
): boolean {
  let earlier = false;
  for (const [repo, id] of ids) {
    const other = others.get(repo);
    if (repo === own || other === undefined || other === id) continue;
    const [mine, theirs] = [parseCommitId(id), parseCommitId(other)];
    if (
      mine === undefined ||
      theirs === undefined ||
      mine.branch !== theirs.branch ||
      mine.number > theirs.number
    )
      return false;
    earlier = true;
  }
  return earlier;
}

async function candidateRows(
  tx: Tx,
  commit: SourcedCommit,
  repo: string,
  before: number,
): Promise<CommitRow[]> {
  const pinned = commit.sources[repo];
  if (pinned !== undefined)
    return await tx.all<CommitRow>(
      `SELECT c.* FROM commits c WHERE c.uid = ? AND ${finishedBefore}`,
      pinned,
      before,
    );
  for (const source of Object.values(commit.sources)) {
    const rows = await madeFrom(tx, source, repo, before);
    if (rows.length > 0) return rows;
  }
  return await newestRows(tx, repo, before);
}

async function madeFrom(
  tx: Tx,
  sourceUid: string,
  repo: string,
  before: number,
): Promise<CommitRow[]> {
  return await tx.all<CommitRow>(
    `SELECT c.* FROM commit_upstreams u JOIN commits c ON c.uid = u.uid WHERE u.upstream_uid = ? AND c.repo = ? AND ${finishedBefore} ORDER BY c.finish_number`,
    sourceUid,
    repo,
    before,
  );
}

/** The leaves of a repo of data; of a repo that a pipeline writes, what was made from the leaves of its source. */
async function newestRows(tx: Tx, repo: string, before: number): Promise<CommitRow[]> {
  const source = await rawSourceOf(tx, repo);
  if (source === undefined) return await leafRows(tx, repo, before);
  const rows = new Map<string, CommitRow>();
  for (const leaf of await leafRows(tx, source, before)) {
    // A leaf that nothing was made from, yet or because its job failed, leaves its parent's turn.
    let next: CommitRow | undefined = leaf;
    while (next !== undefined) {
      const made = await madeFrom(tx, next.uid, repo, before);
      for (const row of made) rows.set(row.uid, row);
      const parentUid: string | null = made.length > 0 ? null : next.parent_uid;
      next =
        parentUid === null
          ? undefined
          : await tx.get<CommitRow>(`SELECT * FROM commits WHERE uid = ?`, parentUid);
    }
  }
  return [...rows.values()].sort((a, b) => a.finish_number! - b.finish_number!);
}

async function rawSourceOf(tx: Tx, repo: string): Promise<string | undefined> {
  for (const upstream of await upstreamsOf(tx, repo)) {
    const made = await tx.get(`SELECT upstream FROM repo_upstreams WHERE repo = ?`, upstream);
    if (made === undefined) return upstream;
  }
  return undefined;
}

async function leafRows(tx: Tx, repo: string, before: number): Promise<CommitRow[]> {
  return await tx.all<CommitRow>(
    `SELECT c.* FROM commits c WHERE c.repo = ? AND ${finishedBefore} AND NOT EXISTS (
       SELECT 1 FROM commits k WHERE k.parent_uid = c.uid AND k.state = 'finished' AND k.archived = 0 AND k.finish_number < ?)
     ORDER BY c.finish_number`,
    repo,
    before,
    before,
  );
}
