import type { Procedure, Tx } from "../metadata-store.ts";
import { eachTogether } from "./together.ts";

/** Names in one row: finding one name reads one row. */
const pageSize = 128;

/** The top-level entries of an input, of which each is a task of its own. */
export interface JobEntries {
  /** Of the input. */
  readonly position: number;
  readonly names: readonly string[];
}

/** Keeps which entry is which task's. */
export async function insertEntries(
  tx: Tx,
  jobId: string,
  { position, names }: JobEntries,
): Promise<void> {
  const pages = Array.from({ length: Math.ceil(names.length / pageSize) }, (_, page) => page);
  await eachTogether(pages, (page) =>
    tx.run(
      `INSERT INTO job_entries (job_id, position, page, names) VALUES (?, ?, ?, ?)`,
      jobId,
      position,
      page,
      JSON.stringify(names.slice(page * pageSize, (page + 1) * pageSize)),
    ),
  );
}

/** The name of one entry of an input; undefined when there is none. */
export const jobEntry: Procedure<
  { jobId: string; position: number; number: number },
  { name?: string }
> = async (tx, { jobId, position, number }) => {
  const row = await tx.get<{ names: string }>(
    `SELECT names FROM job_entries WHERE job_id = ? AND position = ? AND page = ?`,
    jobId,
    position,
    Math.floor(number / pageSize),
  );
  const name = row && (JSON.parse(row.names) as string[])[number % pageSize];
  return name === undefined ? {} : { name };
};

/** The names with the numbers `from` to before `to` of the first input. */
export const jobEntries: Procedure<{ jobId: string; from: number; to: number }, string[]> = async (
  tx,
  { jobId, from, to },
) => {
  const first = Math.floor(from / pageSize);
  const pages = await tx.all<{ names: string }>(
    `SELECT names FROM job_entries WHERE job_id = ? AND position = 0 AND page >= ? AND page < ? ORDER BY page`,
    jobId,
    first,
    Math.ceil(to / pageSize),
  );
  const names = pages.flatMap((page) => JSON.parse(page.names) as string[]);
  return names.slice(from - first * pageSize, to - first * pageSize);
};
