import type { CommitInfo, CommitName } from "../../model/commit.ts";
import type { Procedure, Tx } from "../metadata-store.ts";
import { infoOfRow, requireUid, resolveRow, type CommitRow } from "./commit-rows.ts";
import { downstreamsOf, requireRepo, upstreamsOf } from "./repos.ts";

export interface FlushState {
  /** The given commits, then what they caused, in the order it finished. */
  readonly commits: CommitInfo[];
  /** Repos in which nothing caused by the given commits has finished yet. */
  readonly waitingFor: string[];
  /** The first of the effects that was cancelled. */
  readonly cancelled?: CancelledEffect;
}

/** A commit that was cancelled, and the job that was to write it, as long as it is there. */
export interface CancelledEffect {
  readonly commit: CommitInfo;
  readonly job?: { readonly id: string; readonly error: string };
}

/** How far the consequences of some commits have come (contract 2.7). */
export const flushState: Procedure<
  { commits: CommitName[]; toRepos: string[] },
  FlushState
> = async (tx, input) => {
  const given: CommitRow[] = [];
  for (const name of input.commits) given.push(await resolveRow(tx, name));
  const repos = new Set<string>();
  for (const row of given) for (const repo of await downstreamsOf(tx, row.repo)) repos.add(repo);
  const wanted = new Set<string>();
  for (const repo of input.toRepos) {
    await requireRepo(tx, repo);
    for (const name of [repo, ...(await upstreamsOf(tx, repo))]) wanted.add(name);
  }
  const waited = [...repos].filter((repo) => input.toRepos.length === 0 || wanted.has(repo)).sort();
  const caused = new Map<string, CommitRow>();
  for (const row of given) {
    for (const { uid } of await tx.all<{ uid: string }>(
      `SELECT uid FROM commit_upstreams WHERE upstream_uid = ?`,
      row.uid,
    )) {
      const effect = await requireUid(tx, uid);
      const ended = effect.state === "finished" || effect.state === "cancelled";
      if (ended && effect.archived === 0 && waited.includes(effect.repo)) caused.set(uid, effect);
    }
  }
  const effects = [...caused.values()].sort(
    (a, b) => (a.finish_number ?? 0) - (b.finish_number ?? 0),
  );
  const commits: CommitInfo[] = [];
  for (const row of [...given, ...effects]) commits.push(await infoOfRow(tx, row));
  const reached = new Set(effects.map((row) => row.repo));
  const waitingFor: string[] = [];
  for (const repo of waited)
    if (!reached.has(repo) && (await isAwaited(tx, repo, given))) waitingFor.push(repo);
  const failed = effects.find(({ state }) => state === "cancelled");
  return {
    commits,
    waitingFor,
    ...(failed === undefined ? {} : { cancelled: await cancelledBy(tx, failed) }),
  };
};

async function cancelledBy(tx: Tx, row: CommitRow): Promise<CancelledEffect> {
  const commit = await infoOfRow(tx, row);
  const job = await tx.get<{ id: string; error: string }>(
    `SELECT id, error FROM jobs WHERE id = ?`,
    row.job_id,
  );
  return { commit, ...(job === undefined ? {} : { job }) };
}

/** The repo of a job of no pipeline gets what that job makes of its own inputs, and nothing else. */
async function isAwaited(tx: Tx, repo: string, given: readonly CommitRow[]): Promise<boolean> {
  if (!/^job_[0-9a-f]{32}$/.test(repo)) return true;
  for (const { uid } of given) {
    const job = await tx.get(
      `SELECT j.id FROM jobs j JOIN job_inputs i ON i.job_id = j.id
       WHERE j.output_repo = ? AND j.state IN ('creating', 'running') AND (i.commit_uid = ?
         OR EXISTS (SELECT 1 FROM commit_upstreams u WHERE u.uid = i.commit_uid AND u.upstream_uid = ?))`,
      repo,
      uid,
      uid,
    );
    if (job !== undefined) return true;
  }
  return false;
}
