import { CodedError } from "../../base/errors.ts";
import { parseCommitId, type CommitName } from "../../model/commit.ts";
import type { Procedure, Tx } from "../metadata-store.ts";
import { commitAt } from "./commit-rows.ts";
import { noteForJournal } from "./journal.ts";

/** Hides commits from lists and from flush, and all that was made from them; unknown ones are ignored. */
export const archiveCommits: Procedure<{ commits: CommitName[] }, void> = async (
  tx,
  { commits },
) => {
  for (const { repo, id } of commits) {
    const place = parseCommitId(id);
    if (place === undefined)
      throw new CodedError(
        "invalid_argument",
        `invalid commit ID ${id}: name a commit as branch/N, such as ${id}/0`,
        { details: { repo, commit: id, classic: `invalid commit ID ${id}` } },
      );
    const row = await commitAt(tx, repo, place.branch, place.number);
    if (row === undefined) continue;
    await archiveWithEffects(tx, row.uid);
  }
};

/** Hides one commit, and all that was made from it. */
export async function archiveWithEffects(tx: Tx, uid: string): Promise<void> {
  await archive(tx, uid);
  const made = await tx.all<{ uid: string }>(
    `SELECT uid FROM commit_upstreams WHERE upstream_uid = ?`,
    uid,
  );
  for (const effect of made) await archive(tx, effect.uid);
}

/** Hides all commits there are. */
export const archiveAll: Procedure<Record<string, never>, void> = async (tx) => {
  const rows = await tx.all<{ uid: string }>(`SELECT uid FROM commits WHERE archived = 0`);
  for (const { uid } of rows) await archive(tx, uid);
};

async function archive(tx: Tx, uid: string): Promise<void> {
  const changed = await tx.run(
    `UPDATE commits SET archived = 1 WHERE uid = ? AND archived = 0`,
    uid,
  );
  // An open commit is told of when it ends.
  if (changed > 0) await noteForJournal(tx, "commit", uid);
}
