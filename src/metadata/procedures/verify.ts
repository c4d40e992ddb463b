import { commitId } from "../../model/commit.ts";
import type { Procedure, SqlValue, Tx } from "../metadata-store.ts";
import type { ChunkRow, PackRecord } from "../sealed.ts";
import { indexPackSlice, recordPack } from "./packs.ts";

/** A commit with all that can contradict itself. */
export interface CommitToVerify {
  readonly key: readonly (string | number)[];
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

/** Commits by repo, branch and number, a page at a time; `after` is the `key` of the last. */
export const listCommitsToVerify: Procedure<
  { after: readonly (string | number)[]; limit: number },
  CommitToVerify[]
> = async (tx, { after, limit }) => {
  const rows = await tx.all<VerifyRow>(
    `SELECT c.uid, c.repo, c.branch, c.number, c.state, c.parent_uid, p.uid AS found_uid, c.finish_number, c.size_bytes, c.delta, c.root
     FROM commits c LEFT JOIN commits p ON p.uid = c.parent_uid WHERE (c.repo, c.branch, c.number) > (?, ?, ?) ORDER BY c.repo, c.branch, c.number LIMIT ?`,
    ...(after.length === 0 ? ["", "", -1] : after),
    limit,
  );
  return rows.map((row) => ({
    key: [row.repo, row.branch, row.number],
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

/** A repo's recorded size, and the sum of its finished commits. */
export const repoSizes: Procedure<
  { name: string },
  { recorded: number; expected: number } | null
> = async (tx, { name }) => {
  const repo = await tx.get<{ size_bytes: number }>(
    `SELECT size_bytes FROM repos WHERE name = ?`,
    name,
  );
  if (repo === undefined) return null;
  return { recorded: repo.size_bytes, expected: await sizeOfCommits(tx, name) };
};

/** Sets a repo's size to the sum of its finished commits. */
export const repairRepoSize: Procedure<{ name: string }, void> = async (tx, { name }) => {
  const size = await sizeOfCommits(tx, name);
  await tx.run(`UPDATE repos SET size_bytes = ? WHERE name = ?`, size, name);
};

async function sizeOfCommits(tx: Tx, repo: string): Promise<number> {
  const row = await tx.get<{ sum: number | null }>(
    `SELECT SUM(CASE WHEN state = 'finished' THEN size_bytes ELSE 0 END) AS sum FROM commits WHERE repo = ?`,
    repo,
  );
  return Number(row?.sum ?? 0);
}

/** Records a pack that was found in the store and holds what is wanted. */
export const adoptPack: Procedure<{ pack: PackRecord }, void> = async (tx, { pack }) => {
  await recordPack(tx, pack, false);
};

/** Writes of open commits, outputs of tasks, blocks: what has content and is no commit, or not yet. */
export interface StagedToVerify {
  /** What asks for the next page. */
  readonly key: readonly (string | number)[];
  /** Absent for a block. */
  readonly repo?: string;
  /** `branch/N`; absent for a task whose output commit is not there. */
  readonly id?: string;
  /** `task N of job X`, `block X`; absent for a put. */
  readonly of?: string;
  readonly entries: Buffer | null;
  readonly root: Buffer | null;
}

interface StagedRow extends Record<string, SqlValue> {
  uid: string;
  seq: number;
  repo: string;
  branch: string;
  number: number;
  entries: Buffer | null;
  root: Buffer | null;
}

/** Puts into open commits, a page at a time. */
export const listPutsToVerify: Procedure<
  { after: readonly (string | number)[]; limit: number },
  StagedToVerify[]
> = async (tx, { after, limit }) => {
  const rows = await tx.all<StagedRow>(
    `SELECT s.uid, s.seq, c.repo, c.branch, c.number, s.entries, s.root
     FROM staged_runs s JOIN commits c ON c.uid = s.uid WHERE (s.uid, s.seq) > (?, ?) ORDER BY s.uid, s.seq LIMIT ?`,
    ...(after.length === 0 ? ["", -1] : after),
    limit,
  );
  return rows.map(({ uid, seq, repo, branch, number, entries, root }) => ({
    key: [uid, seq],
    repo,
    id: commitId(branch, number),
    entries,
    root,
  }));
};

interface AttemptRow extends Record<string, SqlValue> {
  job_id: string;
  task: number;
  attempt: number;
  output_repo: string;
  branch: string | null;
  number: number | null;
  entries: Buffer | null;
  root: Buffer | null;
}

/** What tasks have put out, a page at a time. */
export const listOutputsToVerify: Procedure<
  { after: readonly (string | number)[]; limit: number },
  StagedToVerify[]
> = async (tx, { after, limit }) => {
  const rows = await tx.all<AttemptRow>(
    `SELECT a.job_id, a.task, a.attempt, j.output_repo, c.branch, c.number, a.entries, a.root
     FROM attempts a JOIN jobs j ON j.id = a.job_id LEFT JOIN commits c ON c.uid = j.output_uid
     WHERE (a.job_id, a.task, a.attempt) > (?, ?, ?) ORDER BY a.job_id, a.task, a.attempt LIMIT ?`,
    ...(after.length === 0 ? ["", -1, -1] : after),
    limit,
  );
  return rows.map((row) => ({
    key: [row.job_id, row.task, row.attempt],
    repo: row.output_repo,
    ...(row.branch === null ? {} : { id: commitId(row.branch, Number(row.number)) }),
    of: `task ${row.task} of job ${row.job_id}`,
    entries: row.entries,
    root: row.root,
  }));
};

/** Chunks that are in no pack yet, a page at a time. */
export const listInline: Procedure<
  { after: Buffer; limit: number },
  { hash: Buffer; codec: number; bytes: number; data: Buffer }[]
> = async (tx, { after, limit }) =>
  await tx.all<{ hash: Buffer; codec: number; bytes: number; data: Buffer }>(
    `SELECT hash, codec, bytes, data FROM inline_chunks WHERE hash > ? ORDER BY hash LIMIT ?`,
    after,
    limit,
  );

/** An inline chunk is damaged: the same bytes put again are stored again. */
export const dropInline: Procedure<{ hash: Buffer }, void> = async (tx, { hash }) => {
  await tx.run(`DELETE FROM inline_chunks WHERE hash = ?`, hash);
};

/** How the index and the footer of a pack agree. */
export interface IndexCheck {
  /** Chunks that the index has elsewhere in the pack. */
  readonly misplaced: number;
  /** Chunks that the index has nowhere, or where no pack is: garbage, or its rows are lost. */
  readonly unknown: number;
}

/** Compares chunks of a pack with the index. */
export const checkLocations: Procedure<{ pack: string; rows: ChunkRow[] }, IndexCheck> = async (
  tx,
  { pack, rows },
) => {
  const check = { misplaced: 0, unknown: 0 };
  for (const row of rows) {
    const known = await tx.get<LocationRow>(
      `SELECT p.id AS pack, p.state, l.frame_offset, l.frame_bytes, l.chunk_offset, l.bytes
       FROM chunk_locations l LEFT JOIN packs p ON p.number = l.pack_number WHERE l.hash = ?`,
      row.hash,
    );
    if (known === undefined || !isReadable(known)) check.unknown++;
    else if (known.pack === pack && !isSamePlace(known, row)) check.misplaced++;
  }
  return check;
};

interface LocationRow extends Record<string, SqlValue> {
  pack: string | null;
  state: string | null;
  frame_offset: number;
  frame_bytes: number;
  chunk_offset: number;
  bytes: number;
}

function isReadable({ state }: LocationRow): boolean {
  return state === "live" || state === "condemned";
}

function isSamePlace(known: LocationRow, row: ChunkRow): boolean {
  return (
    known.frame_offset === row.frameOffset &&
    known.frame_bytes === row.frameBytes &&
    known.chunk_offset === row.offset &&
    known.bytes === row.bytes
  );
}

/** Has the index rows of a pack written anew, and those chunks found in it that nobody else has. */
export const reindexPack: Procedure<{ pack: string; rows: ChunkRow[] }, void> = async (
  tx,
  { pack, rows },
) => {
  for (const { hash } of rows)
    await tx.run(
      `DELETE FROM chunk_locations WHERE hash = ? AND (
         pack_number NOT IN (SELECT number FROM packs WHERE state IN ('live', 'condemned')) OR
         pack_number = (SELECT number FROM packs WHERE id = ?))`,
      hash,
      pack,
    );
  await indexPackSlice(tx, { pack, rows, done: false });
};

/** A pack marked as lost turned out to be whole. */
export const revivePack: Procedure<{ pack: string }, void> = async (tx, { pack }) => {
  await tx.run(`UPDATE packs SET state = 'live' WHERE id = ? AND state = 'lost'`, pack);
};
