import { CodedError } from "../../base/errors.ts";
import { commitId, type CommitInfo } from "../../model/commit.ts";
import type { Procedure, Tx } from "../metadata-store.ts";
import type { Sealed } from "../sealed.ts";
import { infoOfRow, nameOfRow, requireUid, type CommitRow } from "./commit-rows.ts";
import { nextNumber } from "./counters.ts";
import { emit } from "./outbox.ts";
import { recordSealed } from "./packs.ts";
import { forgetAnswer } from "./requests.ts";

export type FinishStart =
  /** This caller computes the roots and publishes with the token. */
  | {
      readonly kind: "claimed";
      readonly parentUid: string | null;
      readonly parentRoot: Buffer | null;
    }
  /** Somebody else does; look again later. */
  | { readonly kind: "busy" }
  /** The commit waits for its parent; nothing is held meanwhile. */
  | {
      readonly kind: "parent_open";
      readonly parent: string;
      readonly parentUid: string;
      readonly sinceMicros: number;
      readonly job?: string;
    }
  /** Finished or cancelled, now or before. */
  | { readonly kind: "ended"; readonly info: CommitInfo };

/** Moves a commit from open to closing under a token and a lease: from here on puts fail. */
export const beginFinish: Procedure<
  { uid: string; token: string; leaseMs: number },
  FinishStart
> = async (tx, input) => {
  const row = await requireUid(tx, input.uid);
  if (row.state === "finished" || row.state === "cancelled")
    return { kind: "ended", info: await infoOfRow(tx, row) };
  if (row.state === "closing" && row.lease_micros > tx.nowMicros && row.token !== input.token)
    return { kind: "busy" };
  const parent = row.parent_uid === null ? undefined : await requireUid(tx, row.parent_uid);
  if (parent !== undefined && (parent.state === "open" || parent.state === "closing")) {
    return {
      kind: "parent_open",
      parent: nameOfRow(parent),
      parentUid: parent.uid,
      sinceMicros: parent.started_micros,
    };
  }
  if (parent?.state === "cancelled") {
    await markCancelled(tx, row);
    return { kind: "ended", info: await infoOfRow(tx, await requireUid(tx, row.uid)) };
  }
  await tx.run(
    `UPDATE commits SET state = 'closing', token = ?, lease_micros = ? WHERE uid = ?`,
    input.token,
    tx.nowMicros + input.leaseMs * 1_000,
    input.uid,
  );
  return { kind: "claimed", parentUid: parent?.uid ?? null, parentRoot: parent?.root ?? null };
};

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

/** Gives a closing commit back: it is open again and takes writes. */
export const abandonFinish: Procedure<{ uid: string; token: string }, void> = async (
  tx,
  { uid, token },
) => {
  await tx.run(
    `UPDATE commits SET state = 'open', token = '', lease_micros = 0 WHERE uid = ? AND token = ? AND state = 'closing'`,
    uid,
    token,
  );
};

/**
 * The one step that makes a commit finished: its delta, its root, the chunks they need, the repo's
 * size and the event that starts pipelines become visible together.
 *
 * @throws CodedError `aborted` when the token no longer holds
 */
export const publishCommit: Procedure<
  { uid: string; token: string; delta: Buffer; root: Buffer; sizeBytes: number; sealed: Sealed },
  CommitInfo
> = async (tx, input) => {
  const row = await requireUid(tx, input.uid);
  if (row.state !== "closing" || row.token !== input.token) throw lostToken(input.uid);
  await recordSealed(tx, input.sealed);
  const number = await nextNumber(tx, "finishes");
  await tx.run(
    `UPDATE commits SET state = 'finished', finished_micros = ?, finish_number = ?, size_bytes = ?, delta = ?, root = ?, token = '', lease_micros = 0 WHERE uid = ?`,
    Math.max(tx.nowMicros, row.started_micros + 1),
    number,
    input.sizeBytes,
    input.delta,
    input.root,
    row.uid,
  );
  await tx.run(
    `UPDATE repos SET size_bytes = size_bytes + ? WHERE name = ?`,
    input.sizeBytes,
    row.repo,
  );
  await tx.run(`DELETE FROM staged_runs WHERE uid = ?`, row.uid);
  await endJobOfCommit(tx, row.uid, "success");
  await emit(tx, "commit_finished", row.uid);
  return await infoOfRow(tx, await requireUid(tx, row.uid));
};

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
  await endJobOfCommit(tx, row.uid, "failure");
  await emit(tx, "commit_finished", row.uid);
}

/** A job has ended exactly when its output commit has: both change in one transaction. */
async function endJobOfCommit(tx: Tx, uid: string, state: "success" | "failure"): Promise<void> {
  const job = await tx.get<{ id: string; state: string; started_micros: number }>(
    `SELECT id, state, started_micros FROM jobs WHERE output_uid = ? AND state IN ('creating', 'running', 'empty')`,
    uid,
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
  }
  await emit(tx, "job_finished", job.id);
}

/**
 * Removes a commit that could not be finished and that nobody has built on: as if it had never been
 * started, and its request, by its key, never been made.
 */
export const discardCommit: Procedure<{ uid: string; key?: string }, void> = async (
  tx,
  { uid, key },
) => {
  const child = await tx.get(`SELECT uid FROM commits WHERE parent_uid = ?`, uid);
  const removed =
    child === undefined
      ? await tx.run(`DELETE FROM commits WHERE uid = ? AND state IN ('open', 'closing')`, uid)
      : 0;
  if (removed === 0) return;
  await tx.run(`DELETE FROM staged_runs WHERE uid = ?`, uid);
  await tx.run(`DELETE FROM commit_upstreams WHERE uid = ?`, uid);
  if (key !== undefined) await forgetAnswer(tx, key);
};

/** Closing commits whose lease has run out: a daemon died while it finished them. */
export const listExpiredClosing: Procedure<{ limit: number }, string[]> = async (tx, { limit }) =>
  (
    await tx.all<{ uid: string }>(
      `SELECT uid FROM commits WHERE state = 'closing' AND lease_micros <= ? LIMIT ?`,
      tx.nowMicros,
      limit,
    )
  ).map((row) => row.uid);

function lostToken(uid: string): CodedError {
  return new CodedError(
    "aborted",
    `Cannot finish commit ${uid}: another daemon has taken it over`,
    { details: { commit: uid } },
  );
}
