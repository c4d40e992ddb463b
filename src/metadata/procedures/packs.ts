import { CodedError } from "../../base/errors.ts";
import type { Procedure, Tx } from "../metadata-store.ts";
import type { ChunkRow, InlineChunk, PackClass, PackRecord, Sealed } from "../sealed.ts";
import { nextNumber } from "./counters.ts";
import { epochNow } from "./sessions.ts";
import { eachTogether } from "./together.ts";

/** Records sealed packs and inline chunks in the transaction that refers to them. Repeating is harmless. */
export async function recordSealed(tx: Tx, sealed: Sealed): Promise<void> {
  const packs = [...sealed.packs.map(({ id }) => id), ...sealed.kept];
  if (packs.length > 0) await requireAwaited(tx, sealed.epoch, packs[0]!);
  for (const pack of sealed.packs) await recordPack(tx, pack, false);
  await eachTogether(sealed.kept, (pack) => requirePack(tx, pack));
  await eachTogether(sealed.inline, (chunk) =>
    tx.run(
      `INSERT INTO inline_chunks (hash, class, bytes, codec, data, stored_bytes, created_micros) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (hash) DO NOTHING`,
      chunk.hash,
      chunk.class,
      chunk.bytes,
      chunk.codec,
      chunk.data,
      chunk.data.length,
      tx.nowMicros,
    ),
  );
}

/**
 * What a writer found in the index when it looked may be gone when garbage collection did not wait for it, as
 * it was not heard of: it is to look again.
 *
 * @throws CodedError `aborted`
 */
async function requireAwaited(tx: Tx, epoch: number, pack: string): Promise<void> {
  const awaited = await tx.get<{ value: number }>(
    `SELECT value FROM counters WHERE name = 'awaited_epoch'`,
  );
  if (epoch >= (awaited?.value ?? 0)) return;
  throw new CodedError(
    "aborted",
    "The data was on its way while garbage collection took this daemon for dead: send it again",
    { details: { pack } },
  );
}

/**
 * Records a pack that a session has sealed; one that is known already must still be there. One that is
 * not known, and old enough to have been collected and forgotten, is refused.
 */
export async function recordPack(tx: Tx, pack: PackRecord, indexed: boolean): Promise<void> {
  if (await isThere(tx, pack.id)) return;
  const collected = await tx.get<{ value: number }>(
    `SELECT value FROM counters WHERE name = 'garbage_epoch'`,
  );
  if (pack.epoch < (collected?.value ?? 0))
    throw packGone(pack.id, "was never recorded and removed");
  await tx.run(
    `INSERT INTO packs (number, id, class, session, bytes, chunks, state, indexed, created_micros) VALUES (?, ?, ?, ?, ?, ?, 'live', ?, ?)`,
    await nextNumber(tx, "packs"),
    pack.id,
    pack.class,
    pack.session,
    pack.bytes,
    pack.chunks,
    indexed ? 1 : 0,
    tx.nowMicros,
  );
}

async function requirePack(tx: Tx, id: string): Promise<void> {
  if (!(await isThere(tx, id))) throw packGone(id, "was removed");
}

/**
 * False when the pack is not known. A new reference brings back one that garbage collection has
 * condemned: until it is deleted, in a transaction that looks again, nothing is lost.
 *
 * @throws CodedError `aborted` when it is lost or deleted
 */
async function isThere(tx: Tx, id: string): Promise<boolean> {
  const known = await tx.get<{ state: string }>(`SELECT state FROM packs WHERE id = ?`, id);
  if (known?.state === "lost") throw packGone(id, "was lost");
  if (known?.state === "deleted") throw packGone(id, "was removed by garbage collection");
  if (known?.state === "condemned")
    await tx.run(`UPDATE packs SET state = 'live', epoch = 0 WHERE id = ?`, id);
  return known !== undefined;
}

function packGone(id: string, why: string): CodedError {
  return new CodedError("aborted", `Pack ${id} ${why} meanwhile: send the data again`, {
    details: { pack: id },
  });
}

/** SHA-256. */
const hashBytes = 32;

interface LocationRow extends Record<string, string | number | Uint8Array | null> {
  hash: Buffer;
  pack: string;
  state: string;
  frame_offset: number;
  frame_bytes: number;
  chunk_offset: number;
  bytes: number;
}

export interface FoundChunks {
  readonly found: ChunkRow[];
  /** In packs that garbage collection has condemned: to be read while they are there, not relied on. */
  readonly condemned: ChunkRow[];
  readonly inline: { hash: Buffer; codec: number; bytes: number; data: Buffer }[];
  /** In lost packs and nowhere else: worth an attempt to read, but nothing may rely on them. */
  readonly lost: ChunkRow[];
}

/**
 * Where chunks are: in packs already indexed, or inline; a lost pack is named when there is no other
 * copy. Unknown hashes are left out. `hashes` holds them one after the other.
 */
export const findChunks: Procedure<{ hashes: Buffer }, FoundChunks> = async (tx, { hashes }) => {
  const chunks: FoundChunks = { found: [], condemned: [], inline: [], lost: [] };
  await eachTogether(eachOf(hashes), async (hash) => {
    const row = await tx.get<LocationRow>(
      `SELECT l.hash, p.id AS pack, p.state, l.frame_offset, l.frame_bytes, l.chunk_offset, l.bytes
       FROM chunk_locations l JOIN packs p ON p.number = l.pack_number
       WHERE l.hash = ? AND p.state IN ('live', 'condemned', 'lost')`,
      hash,
    );
    if (row?.state === "live") {
      chunks.found.push(chunkRowOf(row));
      return;
    }
    const kept = await tx.get<{ codec: number; bytes: number; data: Buffer }>(
      `SELECT codec, bytes, data FROM inline_chunks WHERE hash = ?`,
      hash,
    );
    if (kept !== undefined) chunks.inline.push({ hash, ...kept });
    else if (row !== undefined)
      chunks[row.state === "lost" ? "lost" : "condemned"].push(chunkRowOf(row));
  });
  return chunks;
};

function eachOf(hashes: Buffer): Buffer[] {
  const each: Buffer[] = [];
  for (let at = 0; at < hashes.length; at += hashBytes)
    each.push(hashes.subarray(at, at + hashBytes));
  return each;
}

function chunkRowOf(row: LocationRow): ChunkRow {
  return {
    hash: row.hash,
    pack: row.pack,
    frameOffset: row.frame_offset,
    frameBytes: row.frame_bytes,
    offset: row.chunk_offset,
    bytes: row.bytes,
  };
}

/**
 * A pack was found missing or damaged: the same bytes put again are stored again, and replace it.
 * True when it was not known to be lost. Garbage collection's own packs stay as they are.
 */
export const markPackLost: Procedure<{ pack: string }, boolean> = async (tx, { pack }) =>
  (await tx.run(
    `UPDATE packs SET state = 'lost', epoch = ? WHERE id = ? AND state = 'live'`,
    await epochNow(tx),
    pack,
  )) > 0;

interface PackRow extends Record<string, string | number | Uint8Array | null> {
  id: string;
  class: PackClass;
  session: string;
  bytes: number;
  chunks: number;
}

/** Packs whose chunks are not in the index yet, oldest first; of a lost one, part may still be read. */
export const listUnindexedPacks: Procedure<{ limit: number }, Omit<PackRecord, "epoch">[]> = async (
  tx,
  { limit },
) =>
  await tx.all<PackRow>(
    `SELECT id, class, session, bytes, chunks FROM packs WHERE indexed = 0 AND state IN ('live', 'lost') ORDER BY number LIMIT ?`,
    limit,
  );

/** Adds a slice of a pack's footer to the index; the last slice marks the pack indexed. */
export const indexPackSlice: Procedure<
  { pack: string; rows: ChunkRow[]; done: boolean },
  void
> = async (tx, input) => {
  const pack = await tx.get<{ number: number }>(
    `SELECT number FROM packs WHERE id = ?`,
    input.pack,
  );
  if (pack === undefined) return;
  await addLocations(tx, pack.number, input.rows);
  if (input.done) await tx.run(`UPDATE packs SET indexed = 1 WHERE id = ?`, input.pack);
};

/** A chunk stays where it is known to be, unless that pack is lost. */
async function addLocations(tx: Tx, packNumber: number, rows: readonly ChunkRow[]): Promise<void> {
  await eachTogether(rows, (row) =>
    tx.run(
      `INSERT INTO chunk_locations (hash, pack_number, frame_offset, frame_bytes, chunk_offset, bytes) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (hash) DO UPDATE SET pack_number = excluded.pack_number, frame_offset = excluded.frame_offset,
         frame_bytes = excluded.frame_bytes, chunk_offset = excluded.chunk_offset, bytes = excluded.bytes
       WHERE NOT EXISTS (SELECT 1 FROM packs p WHERE p.number = chunk_locations.pack_number AND p.state = 'live')`,
      row.hash,
      packNumber,
      row.frameOffset,
      row.frameBytes,
      row.offset,
      row.bytes,
    ),
  );
}

interface InlineRow extends Record<string, string | number | Uint8Array | null> {
  hash: Buffer;
  class: PackClass;
  bytes: number;
  codec: number;
  data: Buffer;
}

export interface InlineBatch {
  readonly chunks: InlineChunk[];
  /** Bytes of all inline chunks that are whole as far as is known, whether due or not. */
  readonly totalBytes: number;
}

/** When a damaged inline chunk is due: no drain waits for it, nor the journal. fsck finds it by its hash. */
const neverMicros = Number.MAX_SAFE_INTEGER;

/**
 * Takes the drainer's lease and the oldest inline chunks, once one was created before `olderThanMicros` or
 * all together are more than `bytesMax`. Empty when another owner holds the lease. Damaged ones are left out.
 */
export const takeInlineBatch: Procedure<
  { owner: string; leaseMs: number; bytesMax: number; olderThanMicros: number },
  InlineBatch
> = async (tx, input) => {
  const kept = await tx.get<{ total: number | null; oldest: number | null }>(
    `SELECT SUM(stored_bytes) AS total, MIN(created_micros) AS oldest FROM inline_chunks WHERE created_micros < ?`,
    neverMicros,
  );
  const totalBytes = Number(kept?.total ?? 0);
  const isDue = totalBytes > input.bytesMax || (kept?.oldest ?? Infinity) < input.olderThanMicros;
  if (!isDue || !(await takeLease(tx, "drain", input.owner, input.leaseMs)))
    return { chunks: [], totalBytes };
  // With what is due goes all else: small packs would cost more than they hold.
  const sizes = await tx.all<{ hash: Buffer; stored_bytes: number }>(
    `SELECT hash, stored_bytes FROM inline_chunks WHERE created_micros < ? ORDER BY created_micros LIMIT 20000`,
    neverMicros,
  );
  const hashes: Buffer[] = [];
  let bytes = 0;
  for (const { hash, stored_bytes } of sizes) {
    if (bytes + stored_bytes > input.bytesMax && hashes.length > 0) break;
    bytes += stored_bytes;
    hashes.push(hash);
  }
  const chunks = await eachTogether(hashes, (hash) =>
    tx.get<InlineRow>(
      `SELECT hash, class, bytes, codec, data FROM inline_chunks WHERE hash = ?`,
      hash,
    ),
  );
  return { chunks: chunks.filter((chunk) => chunk !== undefined), totalBytes };
};

/**
 * Replaces inline chunks by the packs that now hold them; one whose pack was lost meanwhile stays. Those
 * that turned out to be damaged stay too, and are not taken again.
 */
export const finishDrain: Procedure<
  { owner: string; packs: PackRecord[]; rows: ChunkRow[]; hashes: Buffer[]; damaged: Buffer[] },
  void
> = async (tx, input) => {
  const lease = await tx.get<{ owner: string }>(`SELECT owner FROM leases WHERE name = 'drain'`);
  if (lease?.owner !== input.owner)
    throw new CodedError("aborted", "Cannot finish the drain: another daemon has taken it over");
  for (const pack of input.packs) {
    await recordPack(tx, pack, true);
    const row = await tx.get<{ number: number }>(`SELECT number FROM packs WHERE id = ?`, pack.id);
    await addLocations(
      tx,
      row!.number,
      input.rows.filter((chunk) => chunk.pack === pack.id),
    );
  }
  await eachTogether(input.hashes, (hash) =>
    tx.run(
      `DELETE FROM inline_chunks WHERE hash = ? AND EXISTS (
         SELECT 1 FROM chunk_locations l JOIN packs p ON p.number = l.pack_number
         WHERE l.hash = inline_chunks.hash AND p.state = 'live')`,
      hash,
    ),
  );
  for (const hash of input.damaged)
    await tx.run(`UPDATE inline_chunks SET created_micros = ? WHERE hash = ?`, neverMicros, hash);
  await tx.run(`UPDATE leases SET until_micros = 0 WHERE name = 'drain'`);
};

/** Takes or prolongs a named lease; false when another owner holds it. */
export async function takeLease(
  tx: Tx,
  name: string,
  owner: string,
  leaseMs: number,
): Promise<boolean> {
  const lease = await tx.get<{ owner: string; until_micros: number }>(
    `SELECT owner, until_micros FROM leases WHERE name = ?`,
    name,
  );
  if (lease !== undefined && lease.owner !== owner && lease.until_micros > tx.nowMicros)
    return false;
  const until = tx.nowMicros + leaseMs * 1_000;
  await tx.run(
    `INSERT INTO leases (name, owner, until_micros) VALUES (?, ?, ?)
     ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until_micros = excluded.until_micros`,
    name,
    owner,
    until,
  );
  return true;
}

/** Block ids (SHA-512, base64 of the URL alphabet) already computed, by the digest of the block's pieces. */
export const findBlockIds: Procedure<{ keys: Buffer[] }, (string | null)[]> = async (
  tx,
  { keys },
) => {
  const rows = await eachTogether(keys, (key) =>
    tx.get<{ id: string }>(`SELECT id FROM block_ids WHERE key = ?`, key),
  );
  return rows.map((row) => row?.id ?? null);
};

/** Remembers computed block ids; derived, may be forgotten at any time. */
export const keepBlockIds: Procedure<{ ids: { key: Buffer; id: string }[] }, void> = async (
  tx,
  { ids },
) => {
  await eachTogether(ids, ({ key, id }) =>
    tx.run(`INSERT INTO block_ids (key, id) VALUES (?, ?) ON CONFLICT (key) DO NOTHING`, key, id),
  );
};
