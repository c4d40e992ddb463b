import { CodedError } from "../../base/errors.ts";
import { commitId, requireOpen, type CommitInfo } from "../../model/commit.ts";
import type { Procedure, Tx } from "../metadata-store.ts";
import type { Sealed } from "../sealed.ts";
import { infoOfRow, requireOwner, requireUid, type CommitRow } from "./commit-rows.ts";
import { insertCommit, type NewCommit } from "./commits.ts";
import { recordSealed } from "./packs.ts";
import { findAnswer, keepAnswer } from "./requests.ts";
import { together } from "./together.ts";
import { takeUploads } from "./uploads.ts";

/** The writes of one request: a small one's entries as they are, a large one's as a tree. */
export interface NewRun {
  readonly entries: Buffer | null;
  readonly root: Buffer | null;
  readonly bytes: number;
  /** Says of paths that they are, of none that it goes or was replaced. Default: not known to be so. */
  readonly isStanding?: boolean;
}

/** A staged run as it is read back, in order of `seq`. */
export interface StagedRun extends NewRun {
  readonly seq: number;
  /** 1: it is so. */
  readonly standing?: number;
}

/**
 * Acknowledges the writes of one request: they, their chunks and the answer under `key`, or nothing. Gives
 * back the number of its run; none when the request was answered before.
 */
export const stageRun: Procedure<
  {
    uid: string;
    run: NewRun;
    sealed: Sealed;
    key?: string;
    answer: string;
    jobId?: string;
    isStanding?: boolean;
    /** Taken from other jobs in part: refused when one of these was deleted meanwhile. */
    isReused?: boolean;
    /** Commits (by uid) whose provenance takes the place of its own. */
    provenanceOf?: string[];
    /** What the run refers to was held by these. */
    uploads?: readonly string[];
    /** Refused with `aborted` when runs from this number on were staged already, in `details.nextSeq` up to which. */
    expectedSeq?: number;
  },
  { seq?: number }
> = async (tx, input) => {
  if ((await findAnswer(tx, input.key)) !== undefined) return {};
  const row = await requireUid(tx, input.uid);
  requireOpen({ ...row, id: commitId(row.branch, row.number) });
  requireOwner(row, input.jobId);
  requireSeq(row, input.expectedSeq);
  if (input.isReused === true) await requireAllEnded(tx, input.jobId);
  await together([
    recordSealed(tx, input.sealed),
    appendRun(tx, row, input.run, input.isStanding),
    keepAnswer(tx, input.key, JSON.parse(input.answer)),
  ]);
  if (input.uploads !== undefined) await takeUploads(tx, input.uploads);
  if (input.provenanceOf !== undefined) await inheritProvenance(tx, input.uid, input.provenanceOf);
  return { seq: row.next_seq };
};

function requireSeq({ repo, next_seq: nextSeq }: CommitRow, expected: number | undefined): void {
  if (expected === undefined || nextSeq === expected) return;
  throw new CodedError(
    "aborted",
    "Cannot write this: others wrote into the commit meanwhile. Repeat it",
    { details: { repo, nextSeq } },
  );
}

async function inheritProvenance(tx: Tx, uid: string, from: readonly string[]): Promise<void> {
  const all = new Map<string, { upstream_uid: string; repo: string; id: string }>();
  for (const one of from)
    for (const up of await tx.all<{ upstream_uid: string; repo: string; id: string }>(
      `SELECT upstream_uid, repo, id FROM commit_upstreams WHERE uid = ? ORDER BY position`,
      one,
    ))
      if (!all.has(up.upstream_uid)) all.set(up.upstream_uid, up);
  await tx.run(`DELETE FROM commit_upstreams WHERE uid = ?`, uid);
  for (const [position, up] of [...all.values()].entries())
    await tx.run(
      `INSERT INTO commit_upstreams (uid, position, upstream_uid, repo, id) VALUES (?, ?, ?, ?, ?)`,
      uid,
      position,
      up.upstream_uid,
      up.repo,
      up.id,
    );
}

/** Tasks have to run after all when that was deleted which they took their outputs from. */
async function requireAllEnded(tx: Tx, jobId: string | undefined): Promise<void> {
  const job = await tx.get<{ tasks_left: number }>(
    `SELECT tasks_left FROM jobs WHERE id = ?`,
    jobId ?? "",
  );
  if (job?.tasks_left === 0) return;
  throw new CodedError("aborted", `Tasks of job ${jobId} have to run again: look again`);
}

async function appendRun(
  tx: Tx,
  { uid, next_seq }: CommitRow,
  run: NewRun,
  isStanding = run.isStanding ?? false,
): Promise<void> {
  await together([
    tx.run(`UPDATE commits SET next_seq = next_seq + 1 WHERE uid = ?`, uid),
    tx.run(
      `INSERT INTO staged_runs (uid, seq, entries, root, bytes, standing) VALUES (?, ?, ?, ?, ?, ?)`,
      uid,
      next_seq,
      run.entries,
      run.root,
      run.bytes,
      isStanding ? 1 : 0,
    ),
  ]);
}

/**
 * Starts a commit that holds just this run and is already closing: whoever comes by finishes it, so
 * after a crash the whole request has happened or none of it.
 *
 * @throws CodedError `aborted` when the parent would not be the expected one
 */
export const startClosing: Procedure<
  NewCommit & {
    run: NewRun;
    sealed: Sealed;
    key?: string;
    expectedParent?: string;
    /** What the run refers to was held by these. */
    uploads?: readonly string[];
  },
  CommitInfo
> = async (tx, input) => {
  const answered = await findAnswer<CommitInfo>(tx, input.key);
  if (answered !== undefined) return answered;
  await recordSealed(tx, input.sealed);
  const row = await insertCommit(tx, input);
  requireParent(row, input.expectedParent);
  const [info] = await together([
    infoOfRow(tx, { ...row, state: "closing" }),
    appendRun(tx, row, input.run),
    tx.run(`UPDATE commits SET state = 'closing', whole = 1 WHERE uid = ?`, row.uid),
  ]);
  if (input.uploads !== undefined) await takeUploads(tx, input.uploads);
  await keepAnswer(tx, input.key, info);
  return info;
};

function requireParent(row: CommitRow, expected: string | undefined): void {
  if (expected === undefined || row.parent_uid === expected) return;
  throw new CodedError(
    "aborted",
    `Cannot commit to ${row.repo}/${row.branch}: another commit came first. Repeat it`,
    { details: { repo: row.repo, reason: "parent_changed" } },
  );
}

/** Runs staged in a commit, from a sequence number on. */
export const listRuns: Procedure<{ uid: string; fromSeq: number }, StagedRun[]> = async (
  tx,
  { uid, fromSeq },
) =>
  await tx.all<{
    seq: number;
    entries: Buffer | null;
    root: Buffer | null;
    bytes: number;
    standing: number;
  }>(
    `SELECT seq, entries, root, bytes, standing FROM staged_runs WHERE uid = ? AND seq >= ? ORDER BY seq`,
    uid,
    fromSeq,
  );

/** Bytes staged in a commit so far. */
export const stagedBytes: Procedure<{ uid: string }, number> = async (tx, { uid }) => {
  const row = await tx.get<{ bytes: number | null }>(
    `SELECT SUM(bytes) AS bytes FROM staged_runs WHERE uid = ?`,
    uid,
  );
  return Number(row?.bytes ?? 0);
};
