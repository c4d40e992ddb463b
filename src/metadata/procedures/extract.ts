import { CodedError } from "../../base/errors.ts";
import type {
  ExtractBlock,
  ExtractCommit,
  ExtractPipeline,
  ExtractRepo,
} from "../../model/extract-record.ts";
import { storedPipelineSpec } from "../../model/pipeline-spec.ts";
import type { Procedure, Tx } from "../metadata-store.ts";
import type { CommitRow } from "./commit-rows.ts";
import { requireRepo, upstreamsOf } from "./repos.ts";
import { eachTogether } from "./together.ts";
import type { PipelineRow } from "./pipelines.ts";

/** The moment that an extract shows, however long it takes to be written. */
export interface ExtractMoment {
  /** Commits with a finish number up to this; jobs and runs with a number up to these. */
  readonly finishes: number;
  readonly jobs: number;
  readonly runs: number;
  readonly nowMicros: number;
  /** By name, with all that the wanted ones are made from. */
  readonly repos: readonly ExtractRepo[];
  readonly pipelines: readonly ExtractPipeline[];
  readonly openCommits: number;
}

/**
 * What there is to extract now, commits and jobs aside.
 *
 * @throws CodedError `not_found`
 */
export const beginExtract: Procedure<{ repos: string[] | null }, ExtractMoment> = async (
  tx,
  { repos },
) => {
  const names = repos === null ? undefined : await withUpstreams(tx, repos);
  const isWanted = ({ name }: { readonly name: string }): boolean => names?.has(name) ?? true;
  const rows = await tx.all<RepoRow>(
    `SELECT name, created_micros, of_jobs FROM repos ORDER BY name`,
  );
  const pipelines = await tx.all<PipelineRow & { reprocess_version: number }>(
    `SELECT * FROM pipelines ORDER BY name`,
  );
  const wanted = await eachTogether(rows.filter(isWanted), (row) => repoRecord(tx, row));
  const open = await eachTogether(wanted, ({ name }) =>
    tx.get<{ count: number }>(
      `SELECT COUNT(*) AS count FROM commits WHERE state IN ('open', 'closing') AND repo = ?`,
      name,
    ),
  );
  return {
    finishes: await counter(tx, "finishes"),
    jobs: await counter(tx, "jobs"),
    runs: await counter(tx, "runs"),
    nowMicros: tx.nowMicros,
    repos: wanted,
    pipelines: pipelines.filter(isWanted).map(pipelineRecord),
    openCommits: open.reduce((sum, row) => sum + Number(row?.count ?? 0), 0),
  };
};

interface RepoRow extends Record<string, string | number | Uint8Array | null> {
  name: string;
  created_micros: number;
  of_jobs: number;
}

async function withUpstreams(tx: Tx, repos: readonly string[]): Promise<Set<string>> {
  const names = new Set<string>();
  for (const repo of repos) {
    await requireRepo(tx, repo);
    names.add(repo);
    for (const upstream of await upstreamsOf(tx, repo)) names.add(upstream);
  }
  return names;
}

/** The value of a counter; 0 when nothing has been counted. */
export async function counter(tx: Tx, name: string): Promise<number> {
  const row = await tx.get<{ value: number }>(`SELECT value FROM counters WHERE name = ?`, name);
  return row?.value ?? 0;
}

async function repoRecord(tx: Tx, row: RepoRow): Promise<ExtractRepo> {
  const upstreams = await tx.all<{ upstream: string }>(
    `SELECT upstream FROM repo_upstreams WHERE repo = ? ORDER BY upstream`,
    row.name,
  );
  return {
    kind: "repo",
    name: row.name,
    createdMicros: row.created_micros,
    isOfJobs: row.of_jobs === 1,
    upstreams: upstreams.map(({ upstream }) => upstream),
  };
}

function pipelineRecord(row: PipelineRow & { reprocess_version: number }): ExtractPipeline {
  return {
    kind: "pipeline",
    name: row.name,
    version: row.version,
    lineVersion: row.line_version,
    reprocessVersion: row.reprocess_version,
    createdMicros: row.created_micros,
    state: row.state,
    recentError: row.recent_error,
    cursor: row.cursor_number,
    spec: storedPipelineSpec(row.spec),
  };
}

/** Commits of a repo that had ended by then, in the order in which they did. */
export const extractCommits: Procedure<
  { repo: string; after: number; until: number; limit: number },
  ExtractCommit[]
> = async (tx, { repo, after, until, limit }) => {
  const rows = await tx.all<CommitRow>(
    `SELECT * FROM commits WHERE repo = ? AND finish_number > ? AND finish_number <= ? ORDER BY finish_number LIMIT ?`,
    repo,
    after,
    until,
    limit,
  );
  return await eachTogether(rows, (row) => commitRecord(tx, row));
};

async function commitRecord(tx: Tx, row: CommitRow): Promise<ExtractCommit> {
  const provenance = await tx.all<{ uid: string; repo: string; id: string }>(
    `SELECT upstream_uid AS uid, repo, id FROM commit_upstreams WHERE uid = ? ORDER BY position`,
    row.uid,
  );
  return {
    kind: "commit",
    uid: row.uid,
    repo: row.repo,
    branch: row.branch,
    number: row.number,
    parentUid: row.parent_uid,
    state: row.state === "finished" ? "finished" : "cancelled",
    isArchived: row.archived === 1,
    isWhole: row.whole === 1,
    jobId: row.job_id,
    startedMicros: row.started_micros,
    finishedMicros: row.finished_micros ?? row.started_micros,
    finishNumber: row.finish_number ?? 0,
    sizeBytes: row.size_bytes,
    delta: base64(row.delta),
    root: base64(row.root),
    provenance: provenance.map(({ uid, repo, id }) => ({ uid, repo, id })),
  };
}

/** Blocks that were put by themselves. */
export const extractBlocks: Procedure<{ after: string; limit: number }, ExtractBlock[]> = async (
  tx,
  { after, limit },
) => {
  const rows = await tx.all<{ id: string; bytes: number; created_micros: number; entries: Buffer }>(
    `SELECT id, bytes, created_micros, entries FROM put_blocks WHERE id > ? ORDER BY id LIMIT ?`,
    after,
    limit,
  );
  return rows.map((row) => ({
    kind: "block",
    id: row.id,
    bytes: row.bytes,
    createdMicros: row.created_micros,
    entries: Buffer.from(row.entries).toString("base64"),
  }));
};

/**
 * To be called last, when all has been read.
 *
 * @throws CodedError `aborted` when a repo was deleted meanwhile
 */
export const endExtract: Procedure<{ repos: ExtractRepo[] }, void> = async (tx, { repos }) => {
  const found = await eachTogether(repos, ({ name, createdMicros }) =>
    tx.get(`SELECT name FROM repos WHERE name = ? AND created_micros = ?`, name, createdMicros),
  );
  const gone = repos.find((_, index) => found[index] === undefined);
  if (gone !== undefined)
    throw new CodedError(
      "aborted",
      `repo ${gone.name} was deleted while it was extracted: extract once more`,
      { details: { repo: gone.name } },
    );
};

function base64(bytes: Buffer | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString("base64");
}
