import { CodedError } from "../../base/errors.ts";
import { commitId } from "../../model/commit.ts";
import type { Method } from "../../model/method.ts";
import type { ParallelismSpec, Transform } from "../../model/pipeline-spec.ts";
import type { Procedure, Tx } from "../metadata-store.ts";
import type { CommitRow } from "./commit-rows.ts";
import { nextNumber } from "./counters.ts";
import { emit } from "./outbox.ts";

/** A finished commit with all that it was made from. */
export interface SourcedCommit {
  readonly uid: string;
  readonly repo: string;
  readonly id: string;
  readonly parentUid: string | null;
  /** uid of the commit of each repo it was made from, and its own under its own repo. */
  readonly sources: Readonly<Record<string, string>>;
}

/** A finished commit on an input of a pipeline, and what the other inputs offered when it finished. */
export interface TriggerCommit {
  readonly finishNumber: number;
  readonly commit: SourcedCommit;
  readonly parent: SourcedCommit | undefined;
  /** Per other input repo: commits finished before, made from the same sources, not yet continued. */
  readonly others: Readonly<Record<string, readonly SourcedCommit[]>>;
  /** Parents of all `others`, by uid of the child. */
  readonly parents: Readonly<Record<string, SourcedCommit>>;
}

/** The next finished commits on the inputs of a pipeline, after its cursor, in the order they finished. */
export const nextTriggers: Procedure<
  { pipeline: string; repos: string[]; cursor: number; limit: number },
  TriggerCommit[]
> = async (tx, input) => {
  const rows: CommitRow[] = [];
  for (const repo of input.repos) {
    rows.push(
      ...(await tx.all<CommitRow>(
        `SELECT * FROM commits WHERE repo = ? AND finish_number > ? AND state = 'finished' AND archived = 0 ORDER BY finish_number LIMIT ?`,
        repo,
        input.cursor,
        input.limit,
      )),
    );
  }
  rows.sort((a, b) => a.finish_number! - b.finish_number!);
  const triggers: TriggerCommit[] = [];
  for (const row of rows.slice(0, input.limit))
    triggers.push(await triggerOf(tx, row, input.repos));
  return triggers;
};

async function triggerOf(tx: Tx, row: CommitRow, repos: readonly string[]): Promise<TriggerCommit> {
  const commit = await sourced(tx, row);
  const others: Record<string, SourcedCommit[]> = {};
  const parents: Record<string, SourcedCommit> = {};
  for (const repo of repos) {
    if (repo === row.repo) continue;
    others[repo] = await offered(tx, commit, repo, row.finish_number!);
    for (const other of others[repo]) {
      const parent = await parentOf(tx, other);
      if (parent !== undefined) parents[other.uid] = parent;
    }
  }
  return {
    finishNumber: row.finish_number!,
    commit,
    parent: await parentOf(tx, commit),
    others,
    parents,
  };
}

/** Commits of `repo` that go with `commit`: those its sources name, else all leaves at that time. */
async function offered(
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
  return candidates.filter((candidate) => !continued.has(candidate.uid));
}

async function candidateRows(
  tx: Tx,
  commit: SourcedCommit,
  repo: string,
  before: number,
): Promise<CommitRow[]> {
  const finished = `c.state = 'finished' AND c.archived = 0 AND c.finish_number < ?`;
  const pinned = commit.sources[repo];
  if (pinned !== undefined)
    return await tx.all<CommitRow>(
      `SELECT c.* FROM commits c WHERE c.uid = ? AND ${finished}`,
      pinned,
      before,
    );
  for (const source of Object.values(commit.sources)) {
    const rows = await tx.all<CommitRow>(
      `SELECT c.* FROM commit_upstreams u JOIN commits c ON c.uid = u.uid WHERE u.upstream_uid = ? AND c.repo = ? AND ${finished} ORDER BY c.finish_number`,
      source,
      repo,
      before,
    );
    if (rows.length > 0) return rows;
  }
  return await tx.all<CommitRow>(
    `SELECT c.* FROM commits c WHERE c.repo = ? AND ${finished} AND NOT EXISTS (
       SELECT 1 FROM commits k WHERE k.parent_uid = c.uid AND k.state = 'finished' AND k.archived = 0 AND k.finish_number < ?)
     ORDER BY c.finish_number`,
    repo,
    before,
    before,
  );
}

/** Two commits go together when they name the same commit of every repo that both were made from. */
export function areConsistent(a: SourcedCommit, b: SourcedCommit): boolean {
  return Object.entries(a.sources).every(
    ([repo, uid]) => b.sources[repo] === undefined || b.sources[repo] === uid,
  );
}

async function sourced(tx: Tx, row: CommitRow): Promise<SourcedCommit> {
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

async function parentOf(tx: Tx, commit: SourcedCommit): Promise<SourcedCommit | undefined> {
  if (commit.parentUid === null) return undefined;
  const row = await tx.get<CommitRow>(`SELECT * FROM commits WHERE uid = ?`, commit.parentUid);
  return row === undefined ? undefined : await sourced(tx, row);
}

/** A job about to be recorded; the id is a function of pipeline, transform and inputs. */
export interface NewJob {
  readonly id: string;
  readonly parentId: string | undefined;
  readonly transform: Transform;
  readonly parallelism: ParallelismSpec;
  readonly inputs: readonly {
    readonly repo: string;
    readonly uid: string;
    readonly commitId: string;
    readonly method: Method;
    readonly runEmpty: boolean;
  }[];
}

/**
 * Records the jobs that commits caused and moves the pipeline's cursor past them, in one step.
 *
 * @throws CodedError `aborted` when the pipeline changed or another daemon moved the cursor
 */
export const createJobs: Procedure<
  { pipeline: string; version: number; cursor: number; newCursor: number; jobs: NewJob[] },
  void
> = async (tx, input) => {
  const moved = await tx.run(
    `UPDATE pipelines SET cursor_number = ? WHERE name = ? AND version = ? AND cursor_number = ?`,
    input.newCursor,
    input.pipeline,
    input.version,
    input.cursor,
  );
  if (moved === 0)
    throw new CodedError("aborted", `Pipeline ${input.pipeline} changed meanwhile: look again`);
  for (const job of input.jobs) await insertJob(tx, input.pipeline, input.version, job);
};

async function insertJob(tx: Tx, pipeline: string, version: number, job: NewJob): Promise<void> {
  if ((await tx.get(`SELECT id FROM jobs WHERE id = ?`, job.id)) !== undefined) return;
  const parent =
    job.parentId === undefined
      ? undefined
      : await tx.get<{ id: string }>(`SELECT id FROM jobs WHERE id = ?`, job.parentId);
  await tx.run(
    `INSERT INTO jobs (id, number, pipeline, pipeline_version, transform, parallelism, parent_id, output_repo, state, error, started_micros, tasks_left, plan, token, lease_micros)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'creating', '', ?, 0, '', '', 0)`,
    job.id,
    await nextNumber(tx, "jobs"),
    pipeline,
    version,
    JSON.stringify(job.transform),
    JSON.stringify(job.parallelism),
    parent?.id ?? null,
    pipeline,
    tx.nowMicros,
  );
  let position = 0;
  for (const input of job.inputs) {
    await tx.run(
      `INSERT INTO job_inputs (job_id, position, repo, commit_uid, commit_id, method, run_empty) VALUES (?, ?, ?, ?, ?, ?, ?)`,
      job.id,
      position++,
      input.repo,
      input.uid,
      input.commitId,
      JSON.stringify(input.method),
      input.runEmpty ? 1 : 0,
    );
  }
  await emit(tx, "job_created", job.id);
}
