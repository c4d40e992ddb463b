import { CodedError } from "../../base/errors.ts";
import { quote } from "../../base/quote.ts";
import type { RepoInfo } from "../../model/repo.ts";
import type { Procedure, Tx } from "../metadata-store.ts";
import { discardRefs } from "./garbage.ts";
import { noteForJournal } from "./journal.ts";
import { findAnswer, keepAnswer } from "./requests.ts";

interface RepoRow extends Record<string, string | number | Uint8Array | null> {
  name: string;
  created_micros: number;
  size_bytes: number;
}

/** @throws CodedError `not_found` in the original's words */
export async function requireRepo(tx: Tx, name: string): Promise<RepoRow> {
  const row = await tx.get<RepoRow>(
    `SELECT name, created_micros, size_bytes FROM repos WHERE name = ?`,
    name,
  );
  if (row === undefined)
    throw new CodedError(
      "not_found",
      `repo ${quote(name)} not found: "pachctl list-repo" shows what there is`,
      { details: { repo: name, classic: `repo ${name} not found` } },
    );
  return row;
}

/** All repos that `name` is made from, directly or not, sorted; the repo itself is not among them. */
export async function upstreamsOf(tx: Tx, name: string): Promise<string[]> {
  return await closure(name, async (repo) =>
    (
      await tx.all<{ upstream: string }>(`SELECT upstream FROM repo_upstreams WHERE repo = ?`, repo)
    ).map((row) => row.upstream),
  );
}

/** All repos made from `name`, directly or not, sorted. */
export async function downstreamsOf(tx: Tx, name: string): Promise<string[]> {
  return await closure(name, async (upstream) =>
    (
      await tx.all<{ repo: string }>(`SELECT repo FROM repo_upstreams WHERE upstream = ?`, upstream)
    ).map((row) => row.repo),
  );
}

async function closure(
  start: string,
  next: (name: string) => Promise<string[]>,
): Promise<string[]> {
  const seen = new Set<string>();
  const open = [start];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    for (const found of await next(name)) {
      if (!seen.has(found)) open.push(found);
      seen.add(found);
    }
  }
  seen.delete(start);
  return [...seen].sort();
}

/** Makes an empty repo whose direct provenance are the given repos. */
export const createRepo: Procedure<
  { name: string; provenance: string[]; key?: string },
  RepoInfo
> = async (tx, { name, provenance, key }) => {
  const answered = await findAnswer<RepoInfo>(tx, key);
  if (answered !== undefined) return answered;
  const classic = `could not create repo ${name}, not all provenance repos exist`;
  for (const upstream of provenance) {
    const known = await tx.get(`SELECT name FROM repos WHERE name = ?`, upstream);
    if (known === undefined || new Set(provenance).size !== provenance.length) {
      throw new CodedError(
        "not_found",
        `${classic}: ${quote(upstream)} does not, or is named twice`,
        { details: { repo: upstream, classic } },
      );
    }
    // Of a repo that was deleted by force others may still be made.
    if ((await upstreamsOf(tx, upstream)).includes(name))
      throw new CodedError(
        "failed_precondition",
        `${classic}: ${quote(upstream)} is made from a repo ${name} that was deleted. Choose another name`,
        { details: { repo: upstream, classic } },
      );
  }
  const taken = await tx.get(`SELECT name FROM repos WHERE name = ?`, name);
  if (taken !== undefined)
    throw new CodedError(
      "already_exists",
      `repo ${name} exists: choose another name, or use it as it is`,
      { details: { repo: name, classic: `repo ${name} exists` } },
    );
  await tx.run(
    `INSERT INTO repos (name, created_micros, size_bytes) VALUES (?, ?, 0)`,
    name,
    tx.nowMicros,
  );
  for (const upstream of provenance)
    await tx.run(`INSERT INTO repo_upstreams (repo, upstream) VALUES (?, ?)`, name, upstream);
  await noteForJournal(tx, "repo", name);
  const info = await inspectRepo(tx, { name });
  await keepAnswer(tx, key, info);
  return info;
};

/** One repo with its whole provenance. */
export const inspectRepo: Procedure<{ name: string }, RepoInfo> = async (tx, { name }) => {
  const row = await requireRepo(tx, name);
  return infoOf(row, await upstreamsOf(tx, name));
};

/** All repos by name; with `provenance`, those made from every one of the given repos. */
export const listRepos: Procedure<{ provenance: string[] }, RepoInfo[]> = async (
  tx,
  { provenance },
) => {
  const infos: RepoInfo[] = [];
  for (const row of await tx.all<RepoRow>(
    `SELECT name, created_micros, size_bytes FROM repos ORDER BY name`,
  )) {
    const upstreams = await upstreamsOf(tx, row.name);
    if (provenance.every((name) => upstreams.includes(name))) infos.push(infoOf(row, upstreams));
  }
  return infos;
};

function infoOf(row: RepoRow, provenance: string[]): RepoInfo {
  return {
    name: row.name,
    createdMicros: row.created_micros,
    sizeBytes: row.size_bytes,
    provenance,
  };
}

/** Removes a repo and its commits; a repo that is not there is not an error, as in the original. */
export const deleteRepo: Procedure<{ name: string; force: boolean; key?: string }, void> = async (
  tx,
  { name, force, key },
) => {
  // A copy of the request that comes late must not delete what has been made anew.
  if ((await findAnswer(tx, key)) !== undefined) return;
  const dependants = await downstreamsOf(tx, name);
  if (!force && dependants.length > 0) {
    const classic = `cannot delete repo ${name}; it's the provenance of the following repos: [${dependants.join(" ")}]`;
    throw new CodedError("failed_precondition", `${classic}. Delete those first, or add --force`, {
      details: { repo: name, classic },
    });
  }
  if (!force) await refuseWhilePipelineWrites(tx, name);
  await discardRefs(tx, "repo", name);
  const commits = `SELECT uid FROM commits WHERE repo = ?`;
  await tx.run(`DELETE FROM staged_runs WHERE uid IN (${commits})`, name);
  await tx.run(`DELETE FROM commit_upstreams WHERE uid IN (${commits})`, name);
  await tx.run(`DELETE FROM commits WHERE repo = ?`, name);
  await tx.run(`DELETE FROM repo_upstreams WHERE repo = ?`, name);
  await tx.run(`DELETE FROM run_jobs WHERE run_id IN (SELECT id FROM runs WHERE repo = ?)`, name);
  await tx.run(`DELETE FROM runs WHERE repo = ?`, name);
  await tx.run(`DELETE FROM repos WHERE name = ?`, name);
  await noteForJournal(tx, "repo", name);
  await keepAnswer(tx, key, {});
};

async function refuseWhilePipelineWrites(tx: Tx, name: string): Promise<void> {
  const pipeline = await tx.get(`SELECT name FROM pipelines WHERE name = ?`, name);
  if (pipeline === undefined) return;
  throw new CodedError(
    "failed_precondition",
    `cannot delete repo ${name}; pipeline ${name} writes to it. Run "pachctl delete-pipeline ${name}" first, or add --force`,
    { details: { repo: name } },
  );
}
