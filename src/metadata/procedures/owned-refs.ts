import type { Procedure, SqlValue } from "../metadata-store.ts";

/** What a row refers to, and whose it is. */
export interface OwnedRefs {
  readonly trees: Buffer[];
  readonly entries: Buffer | null;
  /** Of a task's output, the repo that its job writes to; none of a block. */
  readonly repo: string | null;
  /** Of the commit; none of a task's output or a block. */
  readonly uid: string | null;
}

/** Tables whose rows refer to content. */
export type OwnedTable = "attempts" | "staged_runs" | "commits" | "put_blocks";

export interface OwnedRefsPage {
  readonly refs: OwnedRefs[];
  /** What to ask the next page with; null after the last. */
  readonly next: (string | number)[] | null;
}

const queries: Record<OwnedTable, { key: readonly string[]; from: string }> = {
  attempts: {
    key: ["job_id", "task", "attempt"],
    from: `SELECT a.job_id, a.task, a.attempt, a.entries, a.root, NULL AS delta, j.output_repo AS repo, NULL AS owner
      FROM attempts a LEFT JOIN jobs j ON j.id = a.job_id
      WHERE (a.job_id, a.task, a.attempt) > (?, ?, ?) ORDER BY a.job_id, a.task, a.attempt LIMIT ?`,
  },
  staged_runs: {
    key: ["uid", "seq"],
    from: `SELECT r.uid, r.seq, r.entries, r.root, NULL AS delta, c.repo, r.uid AS owner FROM staged_runs r LEFT JOIN commits c ON c.uid = r.uid
      WHERE (r.uid, r.seq) > (?, ?) ORDER BY r.uid, r.seq LIMIT ?`,
  },
  commits: {
    key: ["uid"],
    from: `SELECT uid, NULL AS entries, root, delta, repo, uid AS owner FROM commits WHERE uid > ? ORDER BY uid LIMIT ?`,
  },
  put_blocks: {
    key: ["id"],
    from: `SELECT id, entries, NULL AS root, NULL AS delta, NULL AS repo, NULL AS owner FROM put_blocks WHERE id > ? ORDER BY id LIMIT ?`,
  },
};

const firstKey: Record<OwnedTable, (string | number)[]> = {
  attempts: ["", -1, -1],
  staged_runs: ["", -1],
  commits: [""],
  put_blocks: [""],
};

/** What the rows of a table refer to, and whose it is, a page at a time. */
export const listOwnedRefs: Procedure<
  { table: OwnedTable; after: (string | number)[] | null; limit: number },
  OwnedRefsPage
> = async (tx, { table, after, limit }) => {
  const { key, from } = queries[table];
  const rows = await tx.all<Record<string, SqlValue>>(from, ...(after ?? firstKey[table]), limit);
  const last = rows.at(-1);
  return {
    refs: rows.map(refsOf),
    next:
      last === undefined || rows.length < limit
        ? null
        : key.map((column) => last[column] as string | number),
  };
};

function refsOf(row: Record<string, SqlValue>): OwnedRefs {
  const { entries, repo, owner } = row as Readonly<Record<"entries" | "repo" | "owner", SqlValue>>;
  return {
    trees: [row["delta"], row["root"]].filter((ref) => Buffer.isBuffer(ref)),
    entries: Buffer.isBuffer(entries) ? entries : null,
    repo: typeof repo === "string" ? repo : null,
    uid: typeof owner === "string" ? owner : null,
  };
}
