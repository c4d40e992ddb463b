import { commitId } from "../../model/commit.ts";
import type { Procedure, SqlValue } from "../metadata-store.ts";
import type { PackRecord } from "../sealed.ts";
import { recordPack } from "./packs.ts";

/** A commit with all that can contradict itself. */
export interface CommitToVerify {
  readonly uid: string;
  readonly repo: string;
  readonly id: string;
  readonly state: string;
  readonly parentUid: string | null;
  readonly isParentThere: boolean;
  readonly finishNumber: number | null;
  readonly sizeBytes: number;
  readonly delta: Buffer | null;
  readonly root: Buffer | null;
}

interface VerifyRow extends Record<string, SqlValue> {
  uid: string;
  repo: string;
  branch: string;
  number: number;
  state: string;
  parent_uid: string | null;
  found_uid: string | null;
  finish_number: number | null;
  size_bytes: number;
  delta: Buffer | null;
  root: Buffer | null;
}

/** Commits by uid, a page at a time. */
export const listCommitsToVerify: Procedure<
  { after: string; limit: number },
  CommitToVerify[]
> = async (tx, { after, limit }) => {
  const rows = await tx.all<VerifyRow>(
    `SELECT c.uid, c.repo, c.branch, c.number, c.state, c.parent_uid, p.uid AS found_uid, c.finish_number, c.size_bytes, c.delta, c.root
     FROM commits c LEFT JOIN commits p ON p.uid = c.parent_uid WHERE c.uid > ? ORDER BY c.uid LIMIT ?`,
    after,
    limit,
  );
  return rows.map((row) => ({
    uid: row.uid,
    repo: row.repo,
    id: commitId(row.branch, row.number),
    state: row.state,
    parentUid: row.parent_uid,
    isParentThere: row.parent_uid === null || row.found_uid !== null,
    finishNumber: row.finish_number,
    sizeBytes: row.size_bytes,
    delta: row.delta,
    root: row.root,
  }));
};

/** Repos whose size is not the sum of their finished commits. */
export const wrongRepoSizes: Procedure<
  Record<string, never>,
  { name: string; sizeBytes: number; expected: number }[]
> = async (tx) => {
  const rows = await tx.all<{ name: string; size_bytes: number; expected: number | null }>(
    `SELECT r.name, r.size_bytes, (SELECT SUM(c.size_bytes) FROM commits c WHERE c.repo = r.name AND c.state = 'finished') AS expected
     FROM repos r ORDER BY r.name`,
  );
  return rows
    .map((row) => ({
      name: row.name,
      sizeBytes: Number(row.size_bytes),
      expected: Number(row.expected ?? 0),
    }))
    .filter(({ sizeBytes, expected }) => sizeBytes !== expected);
};

/** Sets a repo's size to the sum of its finished commits. */
export const repairRepoSize: Procedure<{ name: string }, void> = async (tx, { name }) => {
  await tx.run(
    `UPDATE repos SET size_bytes = (SELECT COALESCE(SUM(c.size_bytes), 0) FROM commits c WHERE c.repo = repos.name AND c.state = 'finished') WHERE name = ?`,
    name,
  );
};

/** Records a pack that was found in the store and holds what is wanted. */
export const adoptPack: Procedure<{ pack: PackRecord }, void> = async (tx, { pack }) => {
  await recordPack(tx, pack, false);
};

/** Has the index rows of a pack written anew. */
export const reindexPack: Procedure<{ pack: string }, void> = async (tx, { pack }) => {
  await tx.run(`UPDATE packs SET indexed = 0 WHERE id = ? AND state IN ('live', 'lost')`, pack);
};
