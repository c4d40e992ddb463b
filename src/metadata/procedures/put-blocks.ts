import { CodedError } from "../../base/errors.ts";
import { quote } from "../../base/quote.ts";
import type { BlockInfo } from "../../model/block.ts";
import type { Procedure, Tx } from "../metadata-store.ts";
import type { Sealed } from "../sealed.ts";
import { noteForJournal } from "./journal.ts";
import { recordSealed } from "./packs.ts";
import type { StagedToVerify } from "./verify.ts";

/** A block on its way into the metadata. */
export interface NewBlock {
  readonly id: string;
  readonly bytes: number;
  /** An encoded run of one entry, whose content is the block's. */
  readonly entries: Buffer;
}

interface BlockRow extends Record<string, string | number | Buffer> {
  id: string;
  bytes: number;
  created_micros: number;
  entries: Buffer;
}

/**
 * Acknowledges blocks: they and their chunks, or nothing. One that is there keeps its time; its chunks are those of
 * the last put, so that a block of which something was lost is whole again.
 */
export const storeBlocks: Procedure<{ blocks: NewBlock[]; sealed: Sealed }, void> = async (
  tx,
  { blocks, sealed },
) => {
  await recordSealed(tx, sealed);
  for (const { id, bytes, entries } of blocks) {
    await tx.run(
      `INSERT INTO put_blocks (id, bytes, created_micros, entries) VALUES (?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET entries = excluded.entries`,
      id,
      bytes,
      tx.nowMicros,
      entries,
    );
    await noteForJournal(tx, "block", id);
  }
};

/** @throws CodedError `not_found` */
export const findBlock: Procedure<{ id: string }, BlockInfo & { entries: Buffer }> = async (
  tx,
  { id },
) => {
  const row = await tx.get<BlockRow>(
    `SELECT id, bytes, created_micros, entries FROM put_blocks WHERE id = ?`,
    id,
  );
  if (row === undefined) throw blockNotFound(id);
  const { bytes, created_micros: createdMicros, entries } = row;
  return { id, bytes, createdMicros, entries };
};

/** @throws CodedError `not_found` */
export const deleteBlock: Procedure<{ id: string }, void> = async (tx, { id }) => {
  if (!(await removeBlock(tx, id))) throw blockNotFound(id);
};

/** Removes some of all blocks; false when none is left. */
export const deleteSomeBlocks: Procedure<{ limit: number }, boolean> = async (tx, { limit }) => {
  const rows = await tx.all<{ id: string }>(`SELECT id FROM put_blocks ORDER BY id LIMIT ?`, limit);
  for (const { id } of rows) await removeBlock(tx, id);
  return rows.length === limit;
};

async function removeBlock(tx: Tx, id: string): Promise<boolean> {
  const removed = await tx.run(`DELETE FROM put_blocks WHERE id = ?`, id);
  if (removed === 0) return false;
  await noteForJournal(tx, "block", id);
  return true;
}

/** Blocks by id, a page at a time. */
export const listBlocksToVerify: Procedure<
  { after: readonly (string | number)[]; limit: number },
  StagedToVerify[]
> = async (tx, { after, limit }) => {
  const rows = await tx.all<BlockRow>(
    `SELECT id, bytes, created_micros, entries FROM put_blocks WHERE id > ? ORDER BY id LIMIT ?`,
    after[0] ?? "",
    limit,
  );
  return rows.map(({ id, entries }) => ({
    key: [id],
    of: `block ${id}`,
    entries,
    root: null,
  }));
};

function blockNotFound(id: string): CodedError {
  const classic = `block ${id} not found`;
  return new CodedError(
    "not_found",
    `block ${quote(id)} not found: only blocks of PutBlock can be named, not those of files`,
    { details: { block: id, classic } },
  );
}
