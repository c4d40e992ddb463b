import { storedPipelineSpec } from "../../model/pipeline-spec.ts";
import type {
  BlockRecord,
  CommitRecord,
  GoneRecord,
  JournalRecord,
  PipelineRecord,
  RepoRecord,
} from "../journal-record.ts";
import type { Procedure, SqlValue, Tx } from "../metadata-store.ts";
import type { CommitRow } from "./commit-rows.ts";
import { nextNumber } from "./counters.ts";
import { takeLease } from "./packs.ts";
import { eachTogether, together } from "./together.ts";

/** A row to be written to the journal. */
export interface DirtyRow {
  readonly kind: JournalRecord["kind"];
  readonly subject: string;
  readonly number: number;
}

/** To be called in each transaction that changes what a recovery must know. */
export async function noteForJournal(
  tx: Tx,
  kind: JournalRecord["kind"],
  subject: string,
): Promise<void> {
  await tx.run(
    `INSERT INTO journal_dirty (kind, subject, number, created_micros) VALUES (?, ?, ?, ?)
     ON CONFLICT (kind, subject) DO UPDATE SET number = excluded.number, created_micros = excluded.created_micros`,
    kind,
    subject,
    await nextNumber(tx, "journal"),
    tx.nowMicros,
  );
}

export interface JournalBatch {
  readonly records: JournalRecord[];
  /** What is done with once the records are in a segment. */
  readonly rows: DirtyRow[];
}

/**
 * The oldest changes. A commit or a block waits until all that it needs is in packs, and what changed after
 * it waits with it. Only reads: nobody waits for it.
 */
export const readJournalBatch: Procedure<{ limit: number }, JournalBatch> = async (
  tx,
  { limit },
) => {
  const [dirty, inline] = await together([
    tx.all<DirtyRow & { created_micros: number } & Record<string, SqlValue>>(
      `SELECT kind, subject, number, created_micros FROM journal_dirty ORDER BY number LIMIT ?`,
      limit,
    ),
    tx.get<{ oldest: number | null }>(`SELECT MIN(created_micros) AS oldest FROM inline_chunks`),
  ]);
  const packedUntil = inline?.oldest ?? Infinity;
  const waiting = dirty.findIndex(
    ({ kind, created_micros }) =>
      (kind === "commit" || kind === "block") && created_micros >= packedUntil,
  );
  const rows = dirty
    .slice(0, waiting < 0 ? dirty.length : waiting)
    .map(({ kind, subject, number }) => ({ kind, subject, number }));
  const records = await eachTogether(rows, (row) => recordOf(tx, row));
  return { records: records.filter((record) => record !== undefined), rows };
};

/** The changes are in the journal; what changed again meanwhile stays to be written. */
export const endJournalBatch: Procedure<{ rows: DirtyRow[] }, void> = async (tx, { rows }) => {
  await eachTogether(rows, ({ kind, subject, number }) =>
    tx.run(
      `DELETE FROM journal_dirty WHERE kind = ? AND subject = ? AND number = ?`,
      kind,
      subject,
      number,
    ),
  );
};

/** Takes the journal's lease and the number of a segment; null when another owner holds the lease. */
export const takeSegment: Procedure<{ owner: string; leaseMs: number }, number | null> = async (
  tx,
  { owner, leaseMs },
) =>
  (await takeLease(tx, "journal", owner, leaseMs))
    ? await nextNumber(tx, "journal_segments")
    : null;

/** How much a recovery from the object store alone would not find. */
export const journalLag: Procedure<
  Record<string, never>,
  { changes: number; ageMs: number }
> = async (tx) => {
  const row = await tx.get<{ changes: number; oldest: number | null }>(
    `SELECT COUNT(*) AS changes, MIN(created_micros) AS oldest FROM journal_dirty`,
  );
  const oldest = row?.oldest ?? tx.nowMicros;
  return { changes: Number(row?.changes ?? 0), ageMs: Math.round((tx.nowMicros - oldest) / 1_000) };
};

/** For each record, whether it still tells of something: not of a commit or a repo that was deleted. */
export const stillTrue: Procedure<{ records: JournalRecord[] }, boolean[]> = async (
  tx,
  { records },
) => await eachTogether(records, (record) => isStillTrue(tx, record));

async function isStillTrue(tx: Tx, record: JournalRecord): Promise<boolean> {
  if ("isGone" in record) return true;
  const { subject } = record;
  if (record.kind === "commit")
    return (await tx.get(`SELECT uid FROM commits WHERE uid = ?`, subject)) !== undefined;
  if (record.kind === "block")
    return (await tx.get(`SELECT id FROM put_blocks WHERE id = ?`, subject)) !== undefined;
  const row =
    record.kind === "repo"
      ? await tx.get(
          `SELECT name FROM repos WHERE name = ? AND created_micros = ?`,
          subject,
          record.createdMicros,
        )
      : await tx.get(
          `SELECT name FROM pipelines WHERE name = ? AND created_micros = ?`,
          subject,
          record.createdMicros,
        );
  return row !== undefined;
}

async function recordOf(tx: Tx, row: DirtyRow): Promise<JournalRecord | undefined> {
  if (row.kind === "repo") return await repoRecord(tx, row);
  if (row.kind === "pipeline") return await pipelineRecord(tx, row);
  if (row.kind === "block") return await blockRecord(tx, row);
  return await commitRecord(tx, row);
}

async function repoRecord(tx: Tx, { subject, number }: DirtyRow): Promise<RepoRecord | GoneRecord> {
  const row = await tx.get<{ created_micros: number }>(
    `SELECT created_micros FROM repos WHERE name = ?`,
    subject,
  );
  if (row === undefined) return { kind: "repo", subject, number, isGone: true };
  const upstreams = await tx.all<{ upstream: string }>(
    `SELECT upstream FROM repo_upstreams WHERE repo = ? ORDER BY upstream`,
    subject,
  );
  return {
    kind: "repo",
    subject,
    number,
    createdMicros: row.created_micros,
    upstreams: upstreams.map(({ upstream }) => upstream),
  };
}

async function pipelineRecord(
  tx: Tx,
  { subject, number }: DirtyRow,
): Promise<PipelineRecord | GoneRecord> {
  const row = await tx.get<{
    created_micros: number;
    version: number;
    state: string;
    spec: string;
  }>(`SELECT created_micros, version, state, spec FROM pipelines WHERE name = ?`, subject);
  if (row === undefined) return { kind: "pipeline", subject, number, isGone: true };
  return {
    kind: "pipeline",
    subject,
    number,
    createdMicros: row.created_micros,
    version: row.version,
    state: row.state,
    spec: storedPipelineSpec(row.spec),
  };
}

/** Undefined when it was deleted with its repo, of which the repo's record tells. */
async function commitRecord(
  tx: Tx,
  { subject, number }: DirtyRow,
): Promise<CommitRecord | undefined> {
  const row = await tx.get<CommitRow & { repo_created_micros: number }>(
    `SELECT c.*, r.created_micros AS repo_created_micros FROM commits c JOIN repos r ON r.name = c.repo WHERE c.uid = ?`,
    subject,
  );
  if (row === undefined || (row.state !== "finished" && row.state !== "cancelled"))
    return undefined;
  const provenance = await tx.all<{ uid: string; repo: string; id: string }>(
    `SELECT upstream_uid AS uid, repo, id FROM commit_upstreams WHERE uid = ? ORDER BY position`,
    subject,
  );
  return {
    kind: "commit",
    subject,
    number,
    repo: row.repo,
    repoCreatedMicros: row.repo_created_micros,
    branch: row.branch,
    commitNumber: row.number,
    parentUid: row.parent_uid,
    state: row.state,
    isArchived: row.archived === 1,
    startedMicros: row.started_micros,
    finishedMicros: row.finished_micros ?? row.started_micros,
    finishNumber: row.finish_number ?? 0,
    sizeBytes: row.size_bytes,
    delta: row.delta === null ? null : Buffer.from(row.delta).toString("base64"),
    root: row.root === null ? null : Buffer.from(row.root).toString("base64"),
    provenance: provenance.map(({ uid, repo, id }) => ({ uid, repo, id })),
  };
}

async function blockRecord(
  tx: Tx,
  { subject, number }: DirtyRow,
): Promise<BlockRecord | GoneRecord> {
  const row = await tx.get<{ bytes: number; created_micros: number; entries: Buffer }>(
    `SELECT bytes, created_micros, entries FROM put_blocks WHERE id = ?`,
    subject,
  );
  if (row === undefined) return { kind: "block", subject, number, isGone: true };
  return {
    kind: "block",
    subject,
    number,
    createdMicros: row.created_micros,
    bytes: row.bytes,
    entries: Buffer.from(row.entries).toString("base64"),
  };
}
