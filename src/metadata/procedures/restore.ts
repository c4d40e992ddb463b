import { zstdDecompressSync } from "node:zlib";
import { CodedError } from "../../base/errors.ts";
import type {
  ExtractBlock,
  ExtractCommit,
  ExtractPipeline,
  ExtractRecord,
  ExtractRepo,
  RestoreReport,
} from "../../model/extract-record.ts";
import type { Procedure, Tx } from "../metadata-store.ts";
import type { Sealed } from "../sealed.ts";
import { counter } from "./extract.ts";
import { noteForJournal } from "./journal.ts";
import { emit } from "./outbox.ts";
import { recordSealed } from "./packs.ts";
import { insertInputs } from "./pipelines.ts";
import { findAnswer, keepAnswer } from "./requests.ts";
import { restoreJob, restoreRun } from "./restore-jobs.ts";
import { requireSound } from "./restored-lines.ts";
import { setCounter } from "./store-owner.ts";
import { eachTogether, together } from "./together.ts";

/**
 * To be called before content comes.
 *
 * @throws CodedError `already_exists` when one of these repos or pipelines is there
 */
export const refuseExisting: Procedure<{ names: string[] }, void> = async (tx, { names }) => {
  for (const name of names) await refuseIfThere(tx, name);
};

async function refuseIfThere(tx: Tx, name: string): Promise<void> {
  const found = await tx.get<{ kind: string }>(
    `SELECT 'pipeline' AS kind FROM pipelines WHERE name = ? UNION ALL SELECT 'repo' FROM repos WHERE name = ? LIMIT 1`,
    name,
    name,
  );
  if (found === undefined) return;
  throw new CodedError(
    "already_exists",
    `Cannot restore: ${found.kind} ${name} exists. Nothing was restored. Restore into an empty system, or remove what is there with "pachctl delete-${found.kind} ${name}" first`,
    { details: { [found.kind]: name } },
  );
}

/**
 * Records packs to which nothing refers yet: whoever needs them names them once more. What is found in them
 * need not be stored again meanwhile.
 */
export const keepPacks: Procedure<{ sealed: Sealed }, void> = async (tx, { sealed }) => {
  await recordSealed(tx, sealed);
};

/** Pages of records, as many as fit into one: JSON, a line each, compressed by zstd. */
type Pages = readonly Uint8Array[];

type Restored = Pick<RestoreReport, "commits" | "pipelines" | "jobs">;
/** What is known of it without looking at the records. */
type Told = Omit<RestoreReport, keyof Restored>;

/**
 * Makes all of an extract visible, in one step: its records are put behind what is there, in the order they had.
 *
 * @throws CodedError `already_exists` when something of it is there
 */
export const restoreExtract: Procedure<
  { pages: Pages; sealed: Sealed; told: Told; key?: string },
  RestoreReport
> = async (tx, { pages, sealed, told, key }) => {
  const answered = await findAnswer<RestoreReport>(tx, key);
  if (answered !== undefined) return answered;
  await recordSealed(tx, sealed);
  const bases = {
    finishes: await counter(tx, "finishes"),
    jobs: await counter(tx, "jobs"),
    runs: await counter(tx, "runs"),
  };
  const restoring = new Restoring(tx, bases);
  for (const page of pages)
    await eachTogether(recordsOf(page), (record) => restoring.restore(record));
  const report = { ...told, ...(await restoring.end()) };
  await keepAnswer(tx, key, report);
  return report;
};

function recordsOf(page: Uint8Array): ExtractRecord[] {
  const lines = zstdDecompressSync(page).toString("utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as ExtractRecord);
}

/** The last numbers given here: those of an extract follow them. */
export interface Bases {
  readonly finishes: number;
  readonly jobs: number;
  readonly runs: number;
}

class Restoring {
  private readonly tx: Tx;
  private readonly bases: Bases;
  private readonly last: { finishes: number; jobs: number; runs: number };
  private readonly repos: string[] = [];
  private readonly pipelines: string[] = [];
  private commits = 0;
  private sizeBytes = 0;
  private jobs = 0;

  constructor(tx: Tx, bases: Bases) {
    this.tx = tx;
    this.bases = bases;
    this.last = { ...bases };
  }

  async restore(record: ExtractRecord): Promise<void> {
    const { tx, bases } = this;
    if (record.kind === "repo") {
      this.repos.push(record.name);
      return await addRepo(tx, record);
    }
    if (record.kind === "pipeline") {
      this.pipelines.push(record.name);
      // Commits up to its cursor may all be gone.
      this.reach("finishes", record.cursor);
      return await addPipeline(tx, record, bases);
    }
    if (record.kind === "block") return await addBlock(tx, record);
    if (record.kind === "commit") {
      this.commits++;
      this.sizeBytes += record.sizeBytes;
      if (!Number.isSafeInteger(this.sizeBytes))
        throw new CodedError(
          "invalid_argument",
          "Cannot restore: the stream is damaged: its commits have more bytes than can be counted. Nothing was restored",
        );
      this.reach("finishes", record.finishNumber);
      return await addCommit(tx, record, bases);
    }
    this.reach(record.kind === "job" ? "jobs" : "runs", record.number);
    if (record.kind === "run") return await restoreRun(tx, record, bases);
    if (await restoreJob(tx, record, bases)) this.jobs++;
  }

  /** Numbers given from here on are greater than all that came back. */
  async end(): Promise<Restored> {
    const { tx } = this;
    for (const [name, value] of Object.entries(this.last))
      if (value > 0) await setCounter(tx, name, value);
    for (const repo of this.repos) {
      this.commits -= await dropLooseEnds(tx, repo);
      await tx.run(
        `UPDATE repos SET size_bytes = (SELECT COALESCE(SUM(c.size_bytes), 0) FROM commits c WHERE c.repo = repos.name AND c.state = 'finished') WHERE name = ?`,
        repo,
      );
    }
    await requireSound(tx, this.repos, this.bases);
    for (const name of this.pipelines) await emit(tx, "pipeline_created", name);
    return { commits: this.commits, pipelines: this.pipelines.length, jobs: this.jobs };
  }

  private reach(name: keyof Bases, number: number): void {
    this.last[name] = Math.max(this.last[name], this.bases[name] + number);
  }
}

async function addRepo(tx: Tx, record: ExtractRepo): Promise<void> {
  const { name, upstreams } = record;
  await refuseIfThere(tx, name);
  await tx.run(
    `INSERT INTO repos (name, created_micros, size_bytes, of_jobs) VALUES (?, ?, 0, ?)`,
    name,
    record.createdMicros,
    record.isOfJobs ? 1 : 0,
  );
  for (const upstream of upstreams)
    await tx.run(`INSERT INTO repo_upstreams (repo, upstream) VALUES (?, ?)`, name, upstream);
  await noteForJournal(tx, "repo", name);
}

async function addPipeline(tx: Tx, record: ExtractPipeline, bases: Bases): Promise<void> {
  await tx.run(
    `INSERT INTO pipelines (name, version, spec, created_micros, state, recent_error, cursor_number, line_version, reprocess_version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    record.name,
    record.version,
    JSON.stringify(record.spec),
    record.createdMicros,
    record.state,
    record.recentError,
    bases.finishes + record.cursor,
    record.lineVersion,
    record.reprocessVersion,
  );
  await insertInputs(tx, record.spec);
  await noteForJournal(tx, "pipeline", record.name);
}

async function addCommit(tx: Tx, record: ExtractCommit, bases: Bases): Promise<void> {
  const { uid, repo, branch, number } = record;
  const added = await tx.run(
    `INSERT INTO commits (uid, repo, branch, number, parent_uid, state, archived, started_micros, finished_micros,
       finish_number, size_bytes, next_seq, delta, root, whole, job_id, token, lease_micros)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, '', 0) ON CONFLICT DO NOTHING`,
    uid,
    repo,
    branch,
    number,
    record.parentUid,
    record.state,
    record.isArchived ? 1 : 0,
    record.startedMicros,
    record.finishedMicros,
    bases.finishes + record.finishNumber,
    record.sizeBytes,
    record.delta === null ? null : Buffer.from(record.delta, "base64"),
    record.root === null ? null : Buffer.from(record.root, "base64"),
    record.isWhole ? 1 : 0,
    record.jobId,
  );
  if (added === 0)
    throw new CodedError(
      "already_exists",
      `Cannot restore: commit ${repo}/${branch}/${number} (${uid}) exists. Nothing was restored`,
      { details: { repo, commit: uid } },
    );
  await together([
    ...record.provenance.map((upstream, position) =>
      tx.run(
        `INSERT INTO commit_upstreams (uid, position, upstream_uid, repo, id) VALUES (?, ?, ?, ?, ?)`,
        uid,
        position,
        upstream.uid,
        upstream.repo,
        upstream.id,
      ),
    ),
    noteForJournal(tx, "commit", uid),
  ]);
}

async function addBlock(
  tx: Tx,
  { id, bytes, createdMicros, entries }: ExtractBlock,
): Promise<void> {
  await tx.run(
    `INSERT INTO put_blocks (id, bytes, created_micros, entries) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
    id,
    bytes,
    createdMicros,
    Buffer.from(entries, "base64"),
  );
  await noteForJournal(tx, "block", id);
}

/**
 * A commit may have been cancelled while the one that it continued was open, which is not in an extract: it
 * goes too, for one started after it would continue nothing. Gives back how many went.
 */
async function dropLooseEnds(tx: Tx, repo: string): Promise<number> {
  for (let dropped = 0; ;) {
    const loose = await tx.all<{ uid: string }>(
      `SELECT c.uid FROM commits c WHERE c.repo = ? AND c.state = 'cancelled' AND c.parent_uid IS NOT NULL
         AND NOT EXISTS (SELECT 1 FROM commits p WHERE p.uid = c.parent_uid)`,
      repo,
    );
    if (loose.length === 0) return dropped;
    dropped += loose.length;
    for (const { uid } of loose) {
      await tx.run(`DELETE FROM commit_upstreams WHERE uid = ?`, uid);
      await tx.run(`DELETE FROM commits WHERE uid = ?`, uid);
    }
  }
}
