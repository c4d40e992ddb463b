import { CodedError } from "../../base/errors.ts";
import type { Procedure, SqlValue, Tx } from "../metadata-store.ts";
import type { ChunkRow, PackClass, PackRecord } from "../sealed.ts";
import { nextNumber } from "./counters.ts";
import { recordPack, takeLease } from "./packs.ts";
import { epochNow } from "./sessions.ts";
import { eachTogether } from "./together.ts";

/** A run that is not heard of for longer is taken for dead. */
const leaseMs = 60_000;

/** Who runs garbage collection: every change of a state needs it. */
export interface GarbageRun {
  readonly token: string;
}

async function requireRun(tx: Tx, { token }: GarbageRun): Promise<void> {
  if (await takeLease(tx, "garbage", token, leaseMs)) return;
  throw new CodedError(
    "aborted",
    "Cannot go on collecting garbage: another daemon has taken it over",
  );
}

/** Begins a run, or says that it still goes on. False when another one is going on. */
export const beginGarbageRun: Procedure<GarbageRun, boolean> = async (tx, { token }) =>
  await takeLease(tx, "garbage", token, leaseMs);

/** Ends a run; `finishedMicros` is remembered as the time of the last one. */
export const endGarbageRun: Procedure<GarbageRun & { isDone: boolean }, void> = async (
  tx,
  { token, isDone },
) => {
  await tx.run(
    `UPDATE leases SET until_micros = 0, owner = '' WHERE name = 'garbage' AND owner = ?`,
    token,
  );
  if (isDone)
    await tx.run(
      `INSERT INTO counters (name, value) VALUES ('garbage_done', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
      tx.nowMicros,
    );
};

/** When the last run ended, 0 for never, and whether something was deleted since. */
export const garbageDue: Procedure<
  Record<string, never>,
  { doneMicros: number; nowMicros: number; hasTrash: boolean }
> = async (tx) => {
  const done = await tx.get<{ value: number }>(
    `SELECT value FROM counters WHERE name = 'garbage_done'`,
  );
  const trash = await tx.get(`SELECT id FROM trash LIMIT 1`);
  return {
    doneMicros: done?.value ?? 0,
    nowMicros: tx.nowMicros,
    hasTrash: trash !== undefined,
  };
};

/** What a row refers to: encoded tree references and an encoded run. */
export interface Refs {
  readonly trees: Buffer[];
  readonly entries: Buffer | null;
  /** The repo it belonged to; trash only. */
  readonly repo: string;
}

export interface RefsPage {
  readonly refs: Refs[];
  /** What to ask the next page with; null after the last. */
  readonly next: (string | number)[] | null;
}

/** The tables that refer to chunks, in the order references move through them, and what was deleted. */
export type RefsTable =
  | "upload_parts"
  | "attempts"
  | "staged_runs"
  | "commits"
  | "put_blocks"
  | "trash";

const refsQueries: Record<RefsTable, { key: readonly string[]; from: string }> = {
  upload_parts: {
    key: ["upload_id", "seq"],
    from: `SELECT upload_id, seq, entries, root, NULL AS delta, '' AS repo FROM upload_parts
      WHERE (upload_id, seq) > (?, ?) ORDER BY upload_id, seq LIMIT ?`,
  },
  attempts: {
    key: ["job_id", "task", "attempt"],
    from: `SELECT job_id, task, attempt, entries, root, NULL AS delta, '' AS repo FROM attempts
      WHERE (job_id, task, attempt) > (?, ?, ?) ORDER BY job_id, task, attempt LIMIT ?`,
  },
  staged_runs: {
    key: ["uid", "seq"],
    from: `SELECT uid, seq, entries, root, NULL AS delta, '' AS repo FROM staged_runs
      WHERE (uid, seq) > (?, ?) ORDER BY uid, seq LIMIT ?`,
  },
  commits: {
    key: ["uid"],
    from: `SELECT uid, NULL AS entries, root, delta, '' AS repo FROM commits WHERE uid > ? ORDER BY uid LIMIT ?`,
  },
  put_blocks: {
    key: ["id"],
    from: `SELECT id, entries, NULL AS root, NULL AS delta, '' AS repo FROM put_blocks WHERE id > ? ORDER BY id LIMIT ?`,
  },
  trash: {
    key: ["id"],
    from: `SELECT id, entries, root, delta, repo FROM trash WHERE id > ? ORDER BY id LIMIT ?`,
  },
};

const firstKey: Record<RefsTable, (string | number)[]> = {
  upload_parts: ["", -1],
  attempts: ["", -1, -1],
  staged_runs: ["", -1],
  commits: [""],
  put_blocks: [""],
  trash: [""],
};

/** What the rows of a table refer to, a page at a time, by primary key. */
export const listRefs: Procedure<
  { table: RefsTable; after: (string | number)[] | null; limit: number },
  RefsPage
> = async (tx, { table, after, limit }) => {
  const { key, from } = refsQueries[table];
  const rows = await tx.all<Record<string, SqlValue>>(from, ...(after ?? firstKey[table]), limit);
  const last = rows.at(-1);
  return {
    refs: rows.map((row) => ({
      trees: [row["delta"], row["root"]].filter((ref) => Buffer.isBuffer(ref)),
      entries: Buffer.isBuffer(row["entries"]) ? row["entries"] : null,
      repo: String(row["repo"]),
    })),
    next:
      last === undefined || rows.length < limit
        ? null
        : key.map((column) => last[column] as string | number),
  };
};

/** A pack as garbage collection sees it. */
export interface PackState {
  readonly number: number;
  readonly id: string;
  readonly class: PackClass;
  readonly session: string;
  readonly bytes: number;
  readonly chunks: number;
  readonly state: "live" | "lost" | "condemned" | "deleted";
  readonly indexed: number;
  readonly epoch: number;
}

/** Packs by number, a page at a time. */
export const listPacks: Procedure<{ after: number; limit: number }, PackState[]> = async (
  tx,
  { after, limit },
) =>
  await tx.all<PackState & Record<string, SqlValue>>(
    `SELECT number, id, class, session, bytes, chunks, state, indexed, epoch FROM packs WHERE number > ? ORDER BY number LIMIT ?`,
    after,
    limit,
  );

/** How many chunks all packs hold, which a set of marks must have room for, and the number of the last. */
export const countChunks: Procedure<
  Record<string, never>,
  { chunks: number; lastPack: number }
> = async (tx) => {
  const row = await tx.get<{ chunks: number | null; last: number | null }>(
    `SELECT SUM(chunks) AS chunks, MAX(number) AS last FROM packs`,
  );
  return { chunks: Number(row?.chunks ?? 0), lastPack: Number(row?.last ?? 0) };
};

/** Rows of the chunk index by hash, a page at a time. */
export const listLocations: Procedure<
  { after: Buffer; limit: number },
  { hash: Buffer; pack: number; bytes: number }[]
> = async (tx, { after, limit }) =>
  await tx.all<{ hash: Buffer; pack: number; bytes: number }>(
    `SELECT hash, pack_number AS pack, bytes FROM chunk_locations WHERE hash > ? ORDER BY hash LIMIT ?`,
    after,
    limit,
  );

/**
 * Gives up live packs: nobody relies on them from here on, unless by naming them. Gives back the epoch,
 * which they keep.
 */
export const condemnPacks: Procedure<GarbageRun & { numbers: number[] }, number> = async (
  tx,
  input,
) => {
  await requireRun(tx, input);
  const epoch = await epochNow(tx);
  await eachTogether(input.numbers, (number) =>
    tx.run(
      `UPDATE packs SET state = 'condemned', epoch = ? WHERE number = ? AND state = 'live' AND indexed = 1`,
      epoch,
      number,
    ),
  );
  return epoch;
};

/** Takes packs back that are referred to after all. */
export const pardonPacks: Procedure<GarbageRun & { numbers: number[] }, void> = async (
  tx,
  input,
) => {
  await requireRun(tx, input);
  await eachTogether(input.numbers, (number) =>
    tx.run(
      `UPDATE packs SET state = 'live', epoch = 0 WHERE number = ? AND state = 'condemned'`,
      number,
    ),
  );
};

/** Raises the epoch; gives back the new one. */
export const raiseEpoch: Procedure<GarbageRun, number> = async (tx, input) => {
  await requireRun(tx, input);
  return await nextNumber(tx, "epoch");
};

/**
 * The end of packs: from here on a writer that names one is refused, and one that began before the epoch
 * `oldest`, which was not waited for, whatever it names. Gives back those that were still in that state,
 * whose objects may be removed.
 */
export const deletePacks: Procedure<
  GarbageRun & { numbers: number[]; state: "condemned" | "lost"; oldest: number },
  string[]
> = async (tx, input) => {
  await requireRun(tx, input);
  await tx.run(
    `INSERT INTO counters (name, value) VALUES ('awaited_epoch', ?)
     ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE excluded.value > counters.value`,
    input.oldest,
  );
  const epoch = await epochNow(tx);
  const deleted = await eachTogether(input.numbers, (number) =>
    tx.get<{ id: string }>(
      `UPDATE packs SET state = 'deleted', epoch = ? WHERE number = ? AND state = ? RETURNING id`,
      epoch,
      number,
      input.state,
    ),
  );
  return deleted.flatMap((pack) => (pack === undefined ? [] : [pack.id]));
};

/** Ids of objects that no row knows. */
export const unknownPacks: Procedure<{ ids: string[] }, string[]> = async (tx, { ids }) => {
  const known = await eachTogether(ids, (id) =>
    tx.get(`SELECT number FROM packs WHERE id = ?`, id),
  );
  return ids.filter((_, index) => known[index] === undefined);
};

/** Objects that nobody will record any more: a row says so, should somebody try. Gives back which. */
export const deleteUnknown: Procedure<GarbageRun & { ids: string[] }, string[]> = async (
  tx,
  input,
) => {
  await requireRun(tx, input);
  const epoch = await epochNow(tx);
  const unknown = await unknownPacks(tx, input);
  await eachTogether(unknown, async (id) =>
    tx.run(
      `INSERT INTO packs (number, id, class, session, bytes, chunks, state, indexed, created_micros, epoch) VALUES (?, ?, 'data', '', 0, 0, 'deleted', 1, ?, ?)`,
      await nextNumber(tx, "packs"),
      id,
      tx.nowMicros,
      epoch,
    ),
  );
  return unknown;
};

/**
 * Forgets packs deleted before `epoch`, whose objects are gone and of whom no writer has to be told any
 * more: should one come late after all, it is known by its pack's epoch.
 */
export const forgetDeleted: Procedure<
  GarbageRun & { numbers: number[]; epoch: number },
  void
> = async (tx, input) => {
  await requireRun(tx, input);
  await eachTogether(input.numbers, (number) =>
    tx.run(
      `DELETE FROM packs WHERE number = ? AND state = 'deleted' AND epoch < ?`,
      number,
      input.epoch,
    ),
  );
  await tx.run(
    `INSERT INTO counters (name, value) VALUES ('garbage_epoch', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
    input.epoch,
  );
};

/** Forgets what can be computed again when it is more than what is left can be the reason of. */
export const forgetBlockIds: Procedure<{ countMax: number }, void> = async (tx, { countMax }) => {
  const row = await tx.get<{ count: number }>(`SELECT COUNT(*) AS count FROM block_ids`);
  if (Number(row?.count ?? 0) > countMax) await tx.run(`DELETE FROM block_ids`);
};

/** Removes index rows of packs that are gone, unless they lead elsewhere by now. */
export const dropLocations: Procedure<{ rows: { hash: Buffer; pack: number }[] }, void> = async (
  tx,
  { rows },
) => {
  await eachTogether(rows, ({ hash, pack }) =>
    tx.run(`DELETE FROM chunk_locations WHERE hash = ? AND pack_number = ?`, hash, pack),
  );
};

/** Chunks of one pack have been copied into another: readers and writers find them there. */
export const moveChunks: Procedure<
  GarbageRun & { from: number; packs: PackRecord[]; rows: ChunkRow[] },
  void
> = async (tx, input) => {
  await requireRun(tx, input);
  const numbers = new Map<string, number>();
  for (const pack of input.packs) {
    await recordPack(tx, pack, true);
    const row = await tx.get<{ number: number }>(`SELECT number FROM packs WHERE id = ?`, pack.id);
    numbers.set(pack.id, row!.number);
  }
  await eachTogether(input.rows, (row) =>
    tx.run(
      `UPDATE chunk_locations SET pack_number = ?, frame_offset = ?, frame_bytes = ?, chunk_offset = ?, bytes = ?
       WHERE hash = ? AND pack_number = ?`,
      numbers.get(row.pack)!,
      row.frameOffset,
      row.frameBytes,
      row.offset,
      row.bytes,
      row.hash,
      input.from,
    ),
  );
};

/** What has been deleted so far, for a run to answer for. */
export const trashIds: Procedure<Record<string, never>, string[]> = async (tx) =>
  (await tx.all<{ id: string }>(`SELECT id FROM trash ORDER BY id LIMIT 1000000`)).map(
    ({ id }) => id,
  );

/** What was deleted before a run has been collected by it. */
export const emptyTrash: Procedure<GarbageRun & { ids: string[] }, void> = async (tx, input) => {
  await requireRun(tx, input);
  await eachTogether(input.ids, (id) => tx.run(`DELETE FROM trash WHERE id = ?`, id));
};

/** Keeps what commits and their staged runs refer to until it has been collected and reported. */
export async function discardRefs(tx: Tx, where: "repo" | "uid", value: string): Promise<void> {
  await tx.run(
    `INSERT INTO trash (id, repo, delta, root, entries)
     SELECT uid, repo, delta, root, NULL FROM commits WHERE ${where} = ? AND root IS NOT NULL ON CONFLICT (id) DO NOTHING`,
    value,
  );
  await tx.run(
    `INSERT INTO trash (id, repo, delta, root, entries)
     SELECT r.uid || ':' || r.seq, c.repo, NULL, r.root, r.entries FROM staged_runs r JOIN commits c ON c.uid = r.uid
     WHERE c.${where} = ? ON CONFLICT (id) DO NOTHING`,
    value,
  );
}

/** The same for what the attempts of a pipeline's jobs have written. */
export async function discardAttempts(tx: Tx, pipeline: string): Promise<void> {
  await tx.run(
    `INSERT INTO trash (id, repo, delta, root, entries)
     SELECT a.job_id || ':' || a.task || ':' || a.attempt, j.output_repo, NULL, a.root, a.entries
     FROM attempts a JOIN jobs j ON j.id = a.job_id
     WHERE j.pipeline = ? AND (a.root IS NOT NULL OR a.entries IS NOT NULL) ON CONFLICT (id) DO NOTHING`,
    pipeline,
  );
}

/** The same for one job. */
export async function discardJobAttempts(tx: Tx, jobId: string): Promise<void> {
  await tx.run(
    `INSERT INTO trash (id, repo, delta, root, entries)
     SELECT a.job_id || ':' || a.task || ':' || a.attempt, j.output_repo, NULL, a.root, a.entries
     FROM attempts a JOIN jobs j ON j.id = a.job_id
     WHERE j.id = ? AND (a.root IS NOT NULL OR a.entries IS NOT NULL) ON CONFLICT (id) DO NOTHING`,
    jobId,
  );
}
