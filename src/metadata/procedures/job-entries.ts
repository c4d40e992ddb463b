import type { Procedure, Tx } from "../metadata-store.ts";
import { eachTogether } from "./together.ts";

/** Names in one row: finding one name reads one row. */
const pageSize = 128;

/** Entries that stand one after another in the list of a job, as they do among the names that another keeps. */
export interface EntrySpan {
  readonly first: number;
  readonly span: number;
  /** The job that keeps the names; empty for the job itself. */
  readonly owner: string;
  readonly ownerFirst: number;
}

/** The top-level entries of an input, of which each is a task of its own. */
export interface JobEntries {
  /** Of the input. */
  readonly position: number;
  /** Those that no other job keeps. */
  readonly names: readonly string[];
  /** What the list is made of. Default: the names. */
  readonly spans?: readonly EntrySpan[];
}

/** Keeps which entry is which task's. */
export async function insertEntries(
  tx: Tx,
  jobId: string,
  { position, names, spans = [] }: JobEntries,
): Promise<void> {
  // Of a job that is started again others may refer to what it had: that stays.
  const last = await tx.get<{ page: number | null }>(
    `SELECT MAX(page) AS page FROM job_entries WHERE job_id = ? AND position = ?`,
    jobId,
    position,
  );
  const from = (last?.page ?? -1) + 1;
  const pages = Array.from({ length: Math.ceil(names.length / pageSize) }, (_, page) => page);
  await eachTogether(pages, (page) =>
    tx.run(
      `INSERT INTO job_entries (job_id, position, page, names) VALUES (?, ?, ?, ?)`,
      jobId,
      position,
      from + page,
      JSON.stringify(names.slice(page * pageSize, (page + 1) * pageSize)),
    ),
  );
  const all = { first: 0, span: names.length, owner: "", ownerFirst: 0 };
  await eachTogether(spans.length === 0 && from > 0 ? [all] : spans, (part) =>
    tx.run(
      `INSERT INTO entry_spans (job_id, position, first, span, owner, owner_first) VALUES (?, ?, ?, ?, ?, ?)`,
      jobId,
      position,
      part.first,
      part.span,
      part.owner === "" ? jobId : part.owner,
      part.owner === "" ? from * pageSize + part.ownerFirst : part.ownerFirst,
    ),
  );
}

/** The name of one entry of an input; undefined when there is none. */
export const jobEntry: Procedure<
  { jobId: string; position: number; number: number },
  { name?: string }
> = async (tx, { jobId, position, number }) => {
  const span = await tx.get<{ first: number; owner: string; owner_first: number }>(
    `SELECT first, owner, owner_first FROM entry_spans WHERE job_id = ? AND position = ? AND first <= ? ORDER BY first DESC LIMIT 1`,
    jobId,
    position,
    number,
  );
  const at = span === undefined ? number : span.owner_first + number - span.first;
  const row = await tx.get<{ names: string }>(
    `SELECT names FROM job_entries WHERE job_id = ? AND position = ? AND page = ?`,
    span?.owner ?? jobId,
    position,
    Math.floor(at / pageSize),
  );
  const name = row && (JSON.parse(row.names) as string[])[at % pageSize];
  return name === undefined ? {} : { name };
};

/** The list of entries of an input, as it is kept. */
export interface KeptEntries {
  /** In order; one when the job keeps all names itself. */
  readonly spans: readonly EntrySpan[];
  /** The names that each owner keeps, in pages: JSON, because few of them are looked at. */
  readonly pages: Readonly<Record<string, readonly string[]>>;
  /** Names in a page, but for the last. */
  readonly pageSize: number;
}

/** The `count` entries of an input of a job. */
export const jobEntries: Procedure<
  { jobId: string; position: number; count: number },
  KeptEntries
> = async (tx, { jobId, position, count }) => {
  const rows = await tx.all<{ first: number; span: number; owner: string; owner_first: number }>(
    `SELECT first, span, owner, owner_first FROM entry_spans WHERE job_id = ? AND position = ? ORDER BY first`,
    jobId,
    position,
  );
  const spans = rows.map(({ owner_first: ownerFirst, ...span }) => ({ ...span, ownerFirst }));
  if (spans.length === 0) spans.push({ first: 0, span: count, owner: jobId, ownerFirst: 0 });
  const pages: Record<string, string[]> = {};
  for (const owner of new Set(spans.map((span) => span.owner))) {
    const kept = await tx.all<{ names: string }>(
      `SELECT names FROM job_entries WHERE job_id = ? AND position = ? ORDER BY page`,
      owner,
      position,
    );
    pages[owner] = kept.map(({ names }) => names);
  }
  return { spans, pages, pageSize };
};

/** Forgets the entries of a job; names that other jobs refer to stay until those are forgotten too. */
export async function removeEntries(tx: Tx, jobId: string): Promise<void> {
  const owners = await tx.all<{ owner: string }>(
    `SELECT DISTINCT owner FROM entry_spans WHERE job_id = ?`,
    jobId,
  );
  await tx.run(`DELETE FROM entry_spans WHERE job_id = ?`, jobId);
  for (const owner of new Set([jobId, ...owners.map((row) => row.owner)])) {
    const isKept =
      owner !== jobId && (await tx.get(`SELECT id FROM jobs WHERE id = ?`, owner)) !== undefined;
    const isShared =
      (await tx.get(`SELECT job_id FROM entry_spans WHERE owner = ? LIMIT 1`, owner)) !== undefined;
    if (!isKept && !isShared) await tx.run(`DELETE FROM job_entries WHERE job_id = ?`, owner);
  }
}

/**
 * Lines that a job whose command is a server keeps, from the number `from` to before `to`: its entries at a position,
 * which no other job has.
 */
export const jobLines: Procedure<
  { jobId: string; position: number; from: number; to: number },
  string[]
> = async (tx, { jobId, position, from, to }) => {
  // Started again, it keeps them behind those of before.
  const span = await tx.get<{ owner_first: number }>(
    `SELECT owner_first FROM entry_spans WHERE job_id = ? AND position = ? AND first = 0`,
    jobId,
    position,
  );
  const [start, end] = [from + (span?.owner_first ?? 0), to + (span?.owner_first ?? 0)];
  const first = Math.floor(start / pageSize);
  const pages = await tx.all<{ names: string }>(
    `SELECT names FROM job_entries WHERE job_id = ? AND position = ? AND page >= ? AND page < ? ORDER BY page`,
    jobId,
    position,
    first,
    Math.ceil(end / pageSize),
  );
  const names = pages.flatMap((page) => JSON.parse(page.names) as string[]);
  return names.slice(start - first * pageSize, end - first * pageSize);
};
