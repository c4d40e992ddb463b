import { CodedError } from "../../base/errors.ts";
import { commitId } from "../../model/commit.ts";
import type { Tx } from "../metadata-store.ts";

interface Placed extends Record<string, string | number | Uint8Array | null> {
  repo: string;
  branch: string;
  number: number;
}

/**
 * Looks at what only all records of an extract together show, once they stand beside what is here: every line of
 * commits and jobs has a beginning, and nothing is made from itself.
 *
 * @throws CodedError `invalid_argument`
 */
export async function requireSound(
  tx: Tx,
  repos: readonly string[],
  before: { readonly finishes: number; readonly jobs: number },
): Promise<void> {
  for (const repo of repos) {
    await requireParents(tx, repo);
    await requireProvenance(tx, repo);
  }
  await requireJobOrder(tx, before.jobs);
  await refuseCycles(tx, repos);
}

/** Each commit continues one of its repo, and one that finished is continued from where it ended. */
async function requireParents(tx: Tx, repo: string): Promise<void> {
  const early = await tx.get<Placed>(
    `SELECT c.repo, c.branch, c.number FROM commits c JOIN commits p ON p.uid = c.parent_uid
     WHERE c.repo = ? AND c.state = 'finished' AND (p.state <> 'finished' OR p.finish_number >= c.finish_number) LIMIT 1`,
    repo,
  );
  if (early !== undefined) throw unsound(early, "continues one that had not finished");
  // Those that are reached from a beginning; the others continue what is not there, or one another.
  const lost = await tx.get<Placed>(
    `WITH RECURSIVE reached (uid) AS (
       SELECT uid FROM commits WHERE repo = ? AND parent_uid IS NULL
       UNION ALL SELECT c.uid FROM reached r JOIN commits c ON c.parent_uid = r.uid WHERE c.repo = ?)
     SELECT repo, branch, number FROM commits WHERE repo = ? AND uid NOT IN (SELECT uid FROM reached) LIMIT 1`,
    repo,
    repo,
    repo,
  );
  if (lost !== undefined) throw unsound(lost, "continues one that is not there");
}

/** What a commit was made from had ended before it, wherever that is known. */
async function requireProvenance(tx: Tx, repo: string): Promise<void> {
  const late = await tx.get<Placed>(
    `SELECT c.repo, c.branch, c.number FROM commits c JOIN commit_upstreams u ON u.uid = c.uid
       JOIN commit_upstreams back ON back.uid = u.upstream_uid AND back.upstream_uid = c.uid
     WHERE c.repo = ? LIMIT 1`,
    repo,
  );
  if (late !== undefined) throw unsound(late, "is made from itself");
}

function unsound({ repo, branch, number }: Placed, why: string): CodedError {
  return refusal(`commit ${repo}/${commitId(branch, number)} ${why}`);
}

async function requireJobOrder(tx: Tx, before: number): Promise<void> {
  const job = await tx.get<{ id: string }>(
    `SELECT j.id FROM jobs j JOIN jobs p ON p.id = j.parent_id WHERE j.number > ? AND p.number >= j.number LIMIT 1`,
    before,
  );
  if (job !== undefined) throw refusal(`job ${job.id} continues one that came later`);
}

/** A pipeline that reads what is made from its output would never come to an end. */
async function refuseCycles(tx: Tx, repos: readonly string[]): Promise<void> {
  const rows = await tx.all<{ repo: string; upstream: string }>(
    `SELECT repo, upstream FROM repo_upstreams UNION SELECT pipeline, repo FROM pipeline_inputs`,
  );
  const upstreams = Map.groupBy(rows, ({ repo }) => repo);
  const done = new Set<string>();
  for (const repo of repos) {
    // Depth first; what is on the way is open.
    const way: { name: string; rest: string[] }[] = [];
    const open = new Set<string>();
    const enter = (name: string): void => {
      if (open.has(name)) throw refusal(`repo ${name} is made from itself`);
      if (done.has(name)) return;
      open.add(name);
      way.push({ name, rest: (upstreams.get(name) ?? []).map(({ upstream }) => upstream) });
    };
    enter(repo);
    for (let at = way.at(-1); at !== undefined; at = way.at(-1)) {
      const next = at.rest.pop();
      if (next !== undefined) enter(next);
      else {
        way.pop();
        open.delete(at.name);
        done.add(at.name);
      }
    }
  }
}

function refusal(why: string): CodedError {
  return new CodedError(
    "invalid_argument",
    `Cannot restore: the stream is damaged: ${why}. Nothing was restored. Extract once more, or look at how it was copied`,
  );
}
