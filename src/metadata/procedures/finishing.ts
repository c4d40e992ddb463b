import { CodedError } from "../../base/errors.ts";
import { commitId, type CommitInfo, type CommitName } from "../../model/commit.ts";
import type { Procedure, Tx } from "../metadata-store.ts";
import type { Sealed } from "../sealed.ts";
import {
  infoOfRow,
  nameOfRow,
  newestKept,
  requireOwner,
  requireUid,
  resolveRow,
  type CommitRow,
} from "./commit-rows.ts";
import { nextNumber } from "./counters.ts";
import { discardRefs } from "./garbage.ts";
import { noteForJournal } from "./journal.ts";
import { emit } from "./outbox.ts";
import { recordSealed } from "./packs.ts";
import { findAnswer, forgetAnswer } from "./requests.ts";
import { dropStageOutputs } from "./stages.ts";
import { listRuns, type StagedRun } from "./staging.ts";
import { together } from "./together.ts";

export type FinishStart =
  /** This caller computes the roots and publishes with the token. */
  | {
      readonly kind: "claimed";
      readonly uid: string;
      readonly parentUid: string | null;
      readonly parentRoot: Buffer | null;
      /** What was staged, when it is little; null: to be listed. */
      readonly runs: StagedRun[] | null;
    }
  /** Somebody else does; look again later. */
  | { readonly kind: "busy"; readonly uid: string }
  /** The commit waits for its parent; nothing is held meanwhile. */
  | {
      readonly kind: "parent_open";
      readonly uid: string;
      readonly parent: string;
      readonly parentUid: string;
      readonly sinceMicros: number;
    }
  /** Finished or cancelled; `isNew` when it was cancelled just now, as its parent is. */
  | { readonly kind: "ended"; readonly info: CommitInfo; readonly isNew: boolean };

/** A claim comes with the staged runs when they are no more than this. */
const runsGivenMax = 4;

/**
 * Moves a commit, named by uid or as a person does, from open to closing under a token and a lease:
 * from here on puts fail.
 */
export const beginFinish: Procedure<
  { commit: string | CommitName; token: string; leaseMs: number; jobId?: string },
  FinishStart
> = async (tx, input) => {
  const { commit } = input;
  const row =
    typeof commit === "string" ? await requireUid(tx, commit) : await resolveRow(tx, commit);
  const { uid } = row;
  requireOwner(row, input.jobId);
  if (row.state === "finished" || row.state === "cancelled")
    return { kind: "ended", info: await infoOfRow(tx, row), isNew: false };
  if (row.state === "closing" && row.lease_micros > tx.nowMicros && row.token !== input.token)
    return { kind: "busy", uid };
  const parent = await parentOf(tx, row);
  if (parent !== undefined && (parent.state === "open" || parent.state === "closing")) {
    return {
      kind: "parent_open",
      uid,
      parent: nameOfRow(parent),
      parentUid: parent.uid,
      sinceMicros: parent.started_micros,
    };
  }
  if (parent?.state === "cancelled") {
    await markCancelled(tx, row);
    const info = await infoOfRow(tx, await requireUid(tx, uid));
    return { kind: "ended", info, isNew: true };
  }
  const isLittle = row.next_seq <= runsGivenMax + 1;
  const [runs] = await together([
    isLittle ? listRuns(tx, { uid, fromSeq: 0 }) : null,
    tx.run(
      `UPDATE commits SET state = 'closing', token = ?, lease_micros = ? WHERE uid = ?`,
      input.token,
      tx.nowMicros + input.leaseMs * 1_000,
      uid,
    ),
  ]);
  return {
    kind: "claimed",
    uid,
    parentUid: parent?.uid ?? null,
    parentRoot: parent?.root ?? null,
    runs,
  };
};

/**
 * The parent a commit is finished on. A commit made by one request knows nothing of its parent's
 * writes, so it goes on without a parent that was cancelled; others share its fate.
 */
async function parentOf(tx: Tx, row: CommitRow): Promise<CommitRow | undefined> {
  const parent = row.parent_uid === null ? undefined : await requireUid(tx, row.parent_uid);
  if (row.whole === 0 || parent?.state !== "cancelled") return parent;
  const kept = await newestKept(tx, parent);
  await tx.run(`UPDATE commits SET parent_uid = ? WHERE uid = ?`, kept?.uid ?? null, row.uid);
  return kept;
}

/** Prolongs the lease of a closing commit. */
export const renewFinish: Procedure<{ uid: string; token: string; leaseMs: number }, void> = async (
  tx,
  { uid, token, leaseMs },
) => {
  const changed = await tx.run(
    `UPDATE commits SET lease_micros = ? WHERE uid = ? AND token = ? AND state = 'closing'`,
    tx.nowMicros + leaseMs * 1_000,
    uid,
    token,
  );
  if (changed === 0) throw lostToken(uid);
};

/** A commit made by one request is tried again after this long. */
const retryAfterMicros = 2_000_000;

/**
 * Gives a closing commit back: it is open again and takes writes. One made by a single request stays
 * closing, for whoever comes by.
 */
export const abandonFinish: Procedure<{ uid: string; token: string }, void> = async (
  tx,
  { uid, token },
) => {
  await tx.run(
    `UPDATE commits SET state = CASE WHEN whole = 1 THEN 'closing' ELSE 'open' END, token = '', lease_micros = ?
     WHERE uid = ? AND token = ? AND state = 'closing'`,
    tx.nowMicros + retryAfterMicros,
    uid,
    token,
  );
};

/**
 * The one step that makes a commit finished: its delta, its root, the chunks they need, the repo's
 * size and the event that starts pipelines become visible together. `isAwaited`: there are events to
 * look for.
 *
 * @throws CodedError `aborted` when the token no longer holds
 */
export const publishCommit: Procedure<
  { uid: string; token: string; delta: Buffer; root: Buffer; sizeBytes: number; sealed: Sealed },
  { info: CommitInfo; isAwaited: boolean }
> = async (tx, input) => {
  const row = await requireUid(tx, input.uid);
  if (row.state !== "closing" || row.token !== input.token) throw lostToken(input.uid);
  const finished: CommitRow = {
    ...row,
    state: "finished",
    finished_micros: Math.max(tx.nowMicros, row.started_micros + 1),
    size_bytes: input.sizeBytes,
  };
  const [number, info] = await together([
    nextNumber(tx, "finishes"),
    infoOfRow(tx, finished),
    recordSealed(tx, input.sealed),
    noteForJournal(tx, "commit", row.uid),
    tx.run(
      `UPDATE repos SET size_bytes = size_bytes + ? WHERE name = ?`,
      input.sizeBytes,
      row.repo,
    ),
    tx.run(`DELETE FROM staged_runs WHERE uid = ?`, row.uid),
  ]);
  const [isAwaited] = await together([
    emitFinished(tx, row),
    tx.run(
      `UPDATE commits SET state = 'finished', finished_micros = ?, finish_number = ?, size_bytes = ?, delta = ?, root = ?, token = '', lease_micros = 0 WHERE uid = ?`,
      finished.finished_micros,
      number,
      input.sizeBytes,
      input.delta,
      input.root,
      row.uid,
    ),
    endJobOfCommit(tx, row, "success"),
  ]);
  return { info, isAwaited };
};

/**
 * Leaves an event when somebody has to act on the end of a commit: a pipeline that reads the repo, a
 * child that is closing, or the job it belongs to. One that comes later finds the commit ended.
 */
async function emitFinished(tx: Tx, row: CommitRow): Promise<boolean> {
  const waiting = await tx.get(
    `SELECT pipeline AS waiting FROM pipeline_inputs WHERE repo = ?
     UNION ALL SELECT uid FROM commits WHERE parent_uid = ? AND state = 'closing' LIMIT 1`,
    row.repo,
    row.uid,
  );
  if (waiting !== undefined) await emit(tx, "commit_finished", row.uid);
  return waiting !== undefined || row.job_id !== null;
}

/** Ends an open commit without making it a result; it stays readable by id. Children follow when they finish. */
export const cancelCommit: Procedure<{ uid: string }, CommitInfo> = async (tx, { uid }) => {
  const row = await requireUid(tx, uid);
  if (row.state === "finished") {
    throw new CodedError(
      "failed_precondition",
      `Cannot cancel commit ${nameOfRow(row)}: it has already finished, and finished commits never change`,
      {
        details: { repo: row.repo, commit: commitId(row.branch, row.number) },
      },
    );
  }
  if (row.state !== "cancelled") await markCancelled(tx, row);
  return await infoOfRow(tx, await requireUid(tx, uid));
};

async function markCancelled(tx: Tx, row: CommitRow): Promise<void> {
  await tx.run(
    `UPDATE commits SET state = 'cancelled', finished_micros = ?, finish_number = ?, token = '', lease_micros = 0 WHERE uid = ?`,
    Math.max(tx.nowMicros, row.started_micros + 1),
    await nextNumber(tx, "finishes"),
    row.uid,
  );
  await noteForJournal(tx, "commit", row.uid);
  await endJobOfCommit(tx, row, "failure");
  await emitFinished(tx, row);
}

/** A job has ended exactly when its output commit has: both change in one transaction. */
async function endJobOfCommit(tx: Tx, row: CommitRow, state: "success" | "failure"): Promise<void> {
  if (row.job_id === null) return;
  const job = await tx.get<{ id: string; state: string; started_micros: number }>(
    `SELECT id, state, started_micros FROM jobs WHERE id = ? AND state IN ('creating', 'running', 'empty')`,
    row.job_id,
  );
  if (job === undefined) return;
  if (job.state !== "empty") {
    const finished = Math.max(tx.nowMicros, job.started_micros + 1);
    await tx.run(
      `UPDATE jobs SET state = ?, finished_micros = ? WHERE id = ?`,
      state,
      finished,
      job.id,
    );
    await endOpenTasks(tx, job.id);
    if (state === "success") await dropStageOutputs(tx, job.id);
  }
  await emit(tx, "job_finished", job.id);
}

/** Tasks of a job whose commit was cancelled under it would run for nothing. */
export async function endOpenTasks(tx: Tx, jobId: string): Promise<void> {
  const error = "its output commit was cancelled";
  await tx.run(
    `UPDATE attempts SET state = 'failure', error = ?, finished_micros = ? WHERE job_id = ? AND state = 'running'`,
    `stopped: ${error}`,
    tx.nowMicros,
    jobId,
  );
  const stopped = await tx.run(
    `UPDATE tasks SET state = 'failure', token = '' WHERE job_id = ? AND state IN ('unassigned', 'assigned')`,
    jobId,
  );
  if (stopped > 0)
    await tx.run(`UPDATE jobs SET error = ? WHERE id = ? AND error = ''`, error, jobId);
}

/**
 * Takes back a commit made by one request that can not be finished: as if it had never been started
 * and its request, by its key, never been made; or, with `keep`, as a cancelled one. What was started
 * on it goes on without it.
 */
export const discardCommit: Procedure<{ uid: string; keep: boolean; key?: string }, void> = async (
  tx,
  { uid, keep, key },
) => {
  const row = await tx.get<CommitRow>(`SELECT * FROM commits WHERE uid = ?`, uid);
  if (row !== undefined && (row.whole === 0 || row.state !== "closing")) return;
  const answered = await findAnswer<CommitInfo>(tx, key);
  // Another try of the request may have made another commit by now.
  if (key !== undefined && answered?.uid === uid) await forgetAnswer(tx, key);
  if (row === undefined) return;
  await tx.run(`UPDATE commits SET parent_uid = ? WHERE parent_uid = ?`, row.parent_uid, uid);
  if (keep) return await markCancelled(tx, row);
  await discardRefs(tx, "uid", uid);
  await tx.run(`DELETE FROM commits WHERE uid = ?`, uid);
  await tx.run(`DELETE FROM staged_runs WHERE uid = ?`, uid);
  await tx.run(`DELETE FROM commit_upstreams WHERE uid = ?`, uid);
};

/**
 * Closing commits that nobody is finishing, because a daemon died or gave up, and that can be: their
 * parent has ended.
 */
export const listExpiredClosing: Procedure<{ limit: number }, string[]> = async (tx, { limit }) => {
  const rows = await tx.all<{ uid: string }>(
    `SELECT c.uid FROM commits c LEFT JOIN commits p ON p.uid = c.parent_uid
     WHERE c.state = 'closing' AND c.lease_micros <= ? AND (p.uid IS NULL OR p.state IN ('finished', 'cancelled')) LIMIT ?`,
    tx.nowMicros,
    limit,
  );
  return rows.map((row) => row.uid);
};

function lostToken(uid: string): CodedError {
  return new CodedError(
    "aborted",
    `Cannot finish commit ${uid}: another daemon has taken it over`,
    { details: { commit: uid } },
  );
}
