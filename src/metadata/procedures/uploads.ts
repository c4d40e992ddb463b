import { CodedError } from "../../base/errors.ts";
import { uploadKeptMicros, uploadMoved, type UploadInfo } from "../../model/upload.ts";
import type { Procedure, SqlValue, Tx } from "../metadata-store.ts";
import type { Sealed } from "../sealed.ts";
import { recordSealed } from "./packs.ts";
import type { NewRun } from "./staging.ts";

/** An upload, and how the stream of its bytes is gone on with. */
export interface UploadDetail extends UploadInfo {
  readonly format: string;
  /** As JSON; empty at its start. */
  readonly cutPoint: string;
}

/** What an upload has so far, in order of `seq`: entries in a row, or a tree of them. */
export interface UploadPart {
  readonly seq: number;
  readonly entries: Buffer | null;
  readonly root: Buffer | null;
}

interface UploadRow extends Record<string, SqlValue> {
  id: string;
  kind: "bytes" | "files";
  format: string;
  bytes: number;
  files: number;
  complete: number;
  cut_point: string;
  next_seq: number;
  created_micros: number;
  expires_micros: number;
}

/** Begins an upload of bytes, or tells how far it is. */
export const beginUpload: Procedure<{ id: string; format: string }, UploadDetail> = async (
  tx,
  { id, format },
) => {
  const known = await tx.get<UploadRow>(`SELECT * FROM uploads WHERE id = ?`, id);
  if (known === undefined) return await insertUpload(tx, { id, kind: "bytes", format });
  if (known.kind === "bytes" && known.format === format) return detailOf(known);
  throw new CodedError(
    "failed_precondition",
    `Upload ${id} is there already, of ${known.kind === "bytes" ? `bytes in format ${known.format}` : "files"}. Choose another id`,
    { details: { upload: id } },
  );
};

/**
 * Acknowledges bytes of an upload and their chunks, or nothing.
 *
 * @throws CodedError `aborted` when it does not end at `offset` any more, with the offset in `details.offset`
 */
export const extendUpload: Procedure<
  {
    id: string;
    offset: number;
    bytes: number;
    entries: Buffer | null;
    cutPoint: string;
    complete: boolean;
    sealed: Sealed;
  },
  UploadDetail
> = async (tx, input) => {
  const row = await requireUpload(tx, input.id);
  if (row.bytes !== input.offset || row.complete === 1) throw uploadMoved(detailOf(row));
  await recordSealed(tx, input.sealed);
  if (input.entries !== null) await insertPart(tx, row, { entries: input.entries, root: null });
  const next = {
    ...row,
    bytes: row.bytes + input.bytes,
    complete: input.complete ? 1 : 0,
    cut_point: input.cutPoint,
    expires_micros: tx.nowMicros + uploadKeptMicros,
  };
  await tx.run(
    `UPDATE uploads SET bytes = ?, complete = ?, cut_point = ?, expires_micros = ?, next_seq = next_seq + 1 WHERE id = ?`,
    next.bytes,
    next.complete,
    next.cut_point,
    next.expires_micros,
    row.id,
  );
  return detailOf(next);
};

/** Acknowledges an upload of files: they and their chunks, or nothing. One that is there stays as it is. */
export const storeUpload: Procedure<
  { id: string; files: number; run: NewRun; sealed: Sealed },
  UploadDetail
> = async (tx, { id, files, run, sealed }) => {
  const known = await tx.get<UploadRow>(`SELECT * FROM uploads WHERE id = ?`, id);
  if (known !== undefined) return detailOf(known);
  await recordSealed(tx, sealed);
  const { bytes } = run;
  const detail = await insertUpload(tx, { id, kind: "files", format: "", files, bytes });
  await insertPart(tx, { id, next_seq: 0 }, run);
  return detail;
};

/** @throws CodedError `not_found` */
export const findUpload: Procedure<{ id: string }, UploadDetail> = async (tx, { id }) =>
  detailOf(await requireUpload(tx, id));

/** Parts of an upload, a page at a time. */
export const listUploadParts: Procedure<
  { id: string; fromSeq: number; limit: number },
  UploadPart[]
> = async (tx, { id, fromSeq, limit }) =>
  await tx.all<UploadPart & Record<string, SqlValue>>(
    `SELECT seq, entries, root FROM upload_parts WHERE upload_id = ? AND seq >= ? ORDER BY seq LIMIT ?`,
    id,
    fromSeq,
    limit,
  );

/** Uploads by id, a page at a time. */
export const listUploads: Procedure<{ after: string; limit: number }, UploadDetail[]> = async (
  tx,
  { after, limit },
) => {
  const rows = await tx.all<UploadRow>(
    `SELECT * FROM uploads WHERE id > ? ORDER BY id LIMIT ?`,
    after,
    limit,
  );
  return rows.map(detailOf);
};

/** @throws CodedError `not_found` */
export const deleteUpload: Procedure<{ id: string }, void> = async (tx, { id }) => {
  await takeUploads(tx, [id]);
};

/** Forgets uploads nothing was added to for long, some at a time; gives back how many. */
export const forgetUploads: Procedure<{ limit: number }, number> = async (tx, { limit }) => {
  const rows = await tx.all<{ id: string }>(
    `SELECT id FROM uploads WHERE expires_micros < ? ORDER BY expires_micros LIMIT ?`,
    tx.nowMicros,
    limit,
  );
  await takeUploads(
    tx,
    rows.map(({ id }) => id),
  );
  return rows.length;
};

/**
 * Removes uploads: in the transaction that refers to what they held, or for good.
 *
 * @throws CodedError `not_found` when one of them is not there any more
 */
export async function takeUploads(tx: Tx, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    if ((await tx.run(`DELETE FROM uploads WHERE id = ?`, id)) === 0) throw uploadNotFound(id);
    await tx.run(`DELETE FROM upload_parts WHERE upload_id = ?`, id);
  }
}

async function insertUpload(
  tx: Tx,
  input: {
    id: string;
    kind: UploadRow["kind"];
    format: string;
    files?: number;
    bytes?: number;
  },
): Promise<UploadDetail> {
  const isFiles = input.kind === "files";
  const row: UploadRow = {
    id: input.id,
    kind: input.kind,
    format: input.format,
    bytes: input.bytes ?? 0,
    files: input.files ?? 1,
    complete: isFiles ? 1 : 0,
    cut_point: "",
    next_seq: isFiles ? 1 : 0,
    created_micros: tx.nowMicros,
    expires_micros: tx.nowMicros + uploadKeptMicros,
  };
  await tx.run(
    `INSERT INTO uploads (id, kind, format, bytes, files, complete, cut_point, next_seq, created_micros, expires_micros)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    row.id,
    row.kind,
    row.format,
    row.bytes,
    row.files,
    row.complete,
    row.cut_point,
    row.next_seq,
    row.created_micros,
    row.expires_micros,
  );
  return detailOf(row);
}

async function insertPart(
  tx: Tx,
  { id, next_seq }: Pick<UploadRow, "id" | "next_seq">,
  { entries, root }: Pick<UploadPart, "entries" | "root">,
): Promise<void> {
  await tx.run(
    `INSERT INTO upload_parts (upload_id, seq, entries, root) VALUES (?, ?, ?, ?)`,
    id,
    next_seq,
    entries,
    root,
  );
}

async function requireUpload(tx: Tx, id: string): Promise<UploadRow> {
  const row = await tx.get<UploadRow>(`SELECT * FROM uploads WHERE id = ?`, id);
  if (row === undefined) throw uploadNotFound(id);
  return row;
}

function detailOf(row: UploadRow): UploadDetail {
  return {
    id: row.id,
    kind: row.kind,
    bytes: row.bytes,
    files: row.files,
    complete: row.complete === 1,
    createdMicros: row.created_micros,
    expiresMicros: row.expires_micros,
    format: row.format,
    cutPoint: row.cut_point,
  };
}

function uploadNotFound(id: string): CodedError {
  return new CodedError(
    "not_found",
    `Upload ${id} not found: it was put, deleted, or not added to for a day. Send it again`,
    { details: { upload: id } },
  );
}
