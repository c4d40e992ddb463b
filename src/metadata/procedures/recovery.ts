import type {
  BlockRecord,
  CommitRecord,
  JournalRecord,
  PipelineRecord,
  RepoRecord,
} from "../journal-record.ts";
import type { Procedure, Tx } from "../metadata-store.ts";
import { emit } from "./outbox.ts";
import { ownership, setCounter } from "./store-owner.ts";

/**
 * Begins a recovery, or goes on with one that broke off: until it ends, no daemon takes this database.
 * False when something was made here already.
 */
export const beginRecovery: Procedure<Record<string, never>, boolean> = async (tx) => {
  const { isUnused, isRecovering } = await ownership(tx, {});
  if (!isUnused && !isRecovering) return false;
  await setCounter(tx, "recovering", 1);
  return true;
};

/**
 * Writes what the journal says, unless something newer of the same subject has been written. Repos and
 * pipelines come before commits; a commit of a repo that is not there any more is left out.
 *
 * @returns how many records were written
 */
export const applyJournal: Procedure<{ records: JournalRecord[] }, number> = async (
  tx,
  { records },
) => {
  let applied = 0;
  for (const record of records) if (await applyRecord(tx, record)) applied++;
  return applied;
};

/** While a recovery goes on, `journal_dirty` says what is the newest that was written of each subject. */
async function applyRecord(tx: Tx, record: JournalRecord): Promise<boolean> {
  const { kind, subject, number } = record;
  const known = await tx.get<{ number: number }>(
    `SELECT number FROM journal_dirty WHERE kind = ? AND subject = ?`,
    kind,
    subject,
  );
  if (known !== undefined && known.number >= number) return false;
  if (record.kind === "commit" && !(await isOfRepo(tx, record))) return false;
  await tx.run(
    `INSERT INTO journal_dirty (kind, subject, number, created_micros) VALUES (?, ?, ?, 0)
     ON CONFLICT (kind, subject) DO UPDATE SET number = excluded.number`,
    kind,
    subject,
    number,
  );
  await removeSubject(tx, record);
  if ("isGone" in record) return false;
  if (record.kind === "repo") await addRepo(tx, record);
  else if (record.kind === "pipeline") await addPipeline(tx, record);
  else if (record.kind === "block") await addBlock(tx, record);
  else return await addCommitInPlace(tx, record);
  return true;
}

async function isOfRepo(tx: Tx, { repo, repoCreatedMicros }: CommitRecord): Promise<boolean> {
  const row = await tx.get(
    `SELECT name FROM repos WHERE name = ? AND created_micros = ?`,
    repo,
    repoCreatedMicros,
  );
  return row !== undefined;
}

async function removeSubject(tx: Tx, { kind, subject }: JournalRecord): Promise<void> {
  if (kind === "repo") {
    await tx.run(`DELETE FROM repo_upstreams WHERE repo = ?`, subject);
    await tx.run(`DELETE FROM repos WHERE name = ?`, subject);
  } else if (kind === "pipeline") {
    await tx.run(`DELETE FROM pipeline_inputs WHERE pipeline = ?`, subject);
    await tx.run(`DELETE FROM pipelines WHERE name = ?`, subject);
  } else if (kind === "block") await tx.run(`DELETE FROM put_blocks WHERE id = ?`, subject);
  else await removeCommit(tx, subject);
}

async function removeCommit(tx: Tx, uid: string): Promise<void> {
  await tx.run(`DELETE FROM commit_upstreams WHERE uid = ?`, uid);
  await tx.run(`DELETE FROM commits WHERE uid = ?`, uid);
}

async function addRepo(tx: Tx, { subject, createdMicros, upstreams }: RepoRecord): Promise<void> {
  await tx.run(
    `INSERT INTO repos (name, created_micros, size_bytes) VALUES (?, ?, 0)`,
    subject,
    createdMicros,
  );
  for (const upstream of upstreams)
    await tx.run(`INSERT INTO repo_upstreams (repo, upstream) VALUES (?, ?)`, subject, upstream);
}

async function addPipeline(tx: Tx, record: PipelineRecord): Promise<void> {
  await tx.run(
    `INSERT INTO pipelines (name, version, spec, created_micros, state, recent_error, cursor_number) VALUES (?, ?, ?, ?, ?, '', 0)`,
    record.subject,
    record.version,
    JSON.stringify(record.spec),
    record.createdMicros,
    record.state,
  );
  for (const { repo } of record.spec.inputs)
    await tx.run(
      `INSERT INTO pipeline_inputs (pipeline, repo) VALUES (?, ?)`,
      record.subject,
      repo,
    );
}

async function addBlock(tx: Tx, record: BlockRecord): Promise<void> {
  await tx.run(
    `INSERT INTO put_blocks (id, bytes, created_micros, entries) VALUES (?, ?, ?, ?)`,
    record.subject,
    record.bytes,
    record.createdMicros,
    Buffer.from(record.entries, "base64"),
  );
}

/** A commit that a recovery left out may have been followed by another of the same name: the later one holds. */
async function addCommitInPlace(tx: Tx, record: CommitRecord): Promise<boolean> {
  const other = await tx.get<{ uid: string; number: number }>(
    `SELECT c.uid, d.number FROM commits c JOIN journal_dirty d ON d.kind = 'commit' AND d.subject = c.uid
     WHERE c.repo = ? AND c.branch = ? AND c.number = ?`,
    record.repo,
    record.branch,
    record.commitNumber,
  );
  if (other !== undefined && other.number > record.number) return false;
  if (other !== undefined) await removeCommit(tx, other.uid);
  await addCommit(tx, record);
  return true;
}

async function addCommit(tx: Tx, record: CommitRecord): Promise<void> {
  await tx.run(
    `INSERT INTO commits (uid, repo, branch, number, parent_uid, state, archived, started_micros, finished_micros,
       finish_number, size_bytes, next_seq, delta, root, whole, job_id, token, lease_micros)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, 0, NULL, '', 0)`,
    record.subject,
    record.repo,
    record.branch,
    record.commitNumber,
    record.parentUid,
    record.state,
    record.isArchived ? 1 : 0,
    record.startedMicros,
    record.finishedMicros,
    record.finishNumber,
    record.sizeBytes,
    record.delta === null ? null : Buffer.from(record.delta, "base64"),
    record.root === null ? null : Buffer.from(record.root, "base64"),
  );
  for (const [position, { uid, repo, id }] of record.provenance.entries())
    await tx.run(
      `INSERT INTO commit_upstreams (uid, position, upstream_uid, repo, id) VALUES (?, ?, ?, ?, ?)`,
      record.subject,
      position,
      uid,
      repo,
      id,
    );
}

/** What a recovery brought back. */
export interface Recovered {
  readonly repos: number;
  readonly commits: number;
  readonly pipelines: number;
  /** Finished commits that begin their line now: what they continued did not come back. */
  readonly cutCommits: number;
  /** When the newest commit ended; null when there is none. */
  readonly untilMicros: number | null;
}

/**
 * A commit may have been cancelled while the one it continued was open. It is left out: one started after
 * it would continue nothing. A finished one is whole in itself.
 */
async function cutLooseEnds(tx: Tx): Promise<number> {
  const loose = `SELECT c.uid FROM commits c WHERE c.parent_uid IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM commits p WHERE p.uid = c.parent_uid) AND c.state = ?`;
  for (;;) {
    const cancelled = await tx.all<{ uid: string }>(loose, "cancelled");
    for (const { uid } of cancelled) await removeCommit(tx, uid);
    if (cancelled.length === 0) break;
  }
  const finished = await tx.all<{ uid: string }>(loose, "finished");
  for (const { uid } of finished)
    await tx.run(`UPDATE commits SET parent_uid = NULL WHERE uid = ?`, uid);
  return finished.length;
}

/**
 * Ends a recovery: numbers go on where they were, and each pipeline looks at those commits of its inputs
 * that none of its outputs was made from.
 */
export const endRecovery: Procedure<{ segment: number }, Recovered> = async (tx, { segment }) => {
  const cutCommits = await cutLooseEnds(tx);
  await tx.run(
    `UPDATE repos SET size_bytes = (SELECT COALESCE(SUM(c.size_bytes), 0) FROM commits c WHERE c.repo = repos.name AND c.state = 'finished')`,
  );
  const last = await tx.get<{ journal: number | null }>(
    `SELECT MAX(number) AS journal FROM journal_dirty`,
  );
  const finished = await tx.get<{ number: number | null; until: number | null }>(
    `SELECT MAX(finish_number) AS number, MAX(finished_micros) AS until FROM commits`,
  );
  await setCounter(tx, "journal", Number(last?.journal ?? 0));
  await setCounter(tx, "journal_segments", segment);
  await setCounter(tx, "finishes", Number(finished?.number ?? 0));
  // A day goes by before anything is taken for garbage, unless something is deleted.
  await setCounter(tx, "garbage_done", tx.nowMicros);
  await tx.run(`DELETE FROM counters WHERE name = 'recovering'`);
  await tx.run(`DELETE FROM journal_dirty`);
  const pipelines = await tx.all<{ name: string }>(`SELECT name FROM pipelines ORDER BY name`);
  for (const { name } of pipelines) await resumePipeline(tx, name);
  return {
    repos: await count(tx, `SELECT COUNT(*) AS count FROM repos`),
    commits: await count(tx, `SELECT COUNT(*) AS count FROM commits`),
    pipelines: pipelines.length,
    cutCommits,
    untilMicros: finished?.until ?? null,
  };
};

async function resumePipeline(tx: Tx, name: string): Promise<void> {
  const seen = await tx.get<{ number: number | null }>(
    `SELECT MAX(i.finish_number) AS number FROM commits o
     JOIN commit_upstreams u ON u.uid = o.uid JOIN commits i ON i.uid = u.upstream_uid
     JOIN pipeline_inputs p ON p.pipeline = o.repo AND p.repo = i.repo WHERE o.repo = ?`,
    name,
  );
  await tx.run(
    `UPDATE pipelines SET cursor_number = ? WHERE name = ?`,
    Number(seen?.number ?? 0),
    name,
  );
  await emit(tx, "pipeline_created", name);
}

async function count(tx: Tx, sql: string): Promise<number> {
  return Number((await tx.get<{ count: number }>(sql))?.count ?? 0);
}
