import type { Procedure } from "../../metadata/metadata-store.ts";
import { recordSealed } from "../../metadata/procedures/packs.ts";
import type { Sealed } from "../../metadata/sealed.ts";

/** Refers to what was sealed under a name, as the transaction of a put does. */
export const keepRun: Procedure<{ name: string; entries: Buffer; sealed: Sealed }, void> = async (
  tx,
  { name, entries, sealed },
) => {
  await recordSealed(tx, sealed);
  await tx.run(
    `INSERT INTO staged_runs (uid, seq, entries, root, bytes) VALUES (?, 0, ?, NULL, 0)`,
    name,
    entries,
  );
};

/** Refers to trees, as commits do. */
export const keepTrees: Procedure<{ roots: Buffer[]; sealed: Sealed }, void> = async (
  tx,
  { roots, sealed },
) => {
  await recordSealed(tx, sealed);
  for (const [seq, root] of roots.entries())
    await tx.run(
      `INSERT INTO staged_runs (uid, seq, entries, root, bytes) VALUES ('trees', ?, NULL, ?, 0)`,
      seq,
      root,
    );
};

/** Removes a reference as deleting a repo does: `name` says which repo it was of. */
export const dropRun: Procedure<{ name: string }, void> = async (tx, { name }) => {
  await tx.run(
    `INSERT INTO trash (id, repo, delta, root, entries) SELECT uid, uid, NULL, root, entries FROM staged_runs WHERE uid = ?`,
    name,
  );
  await tx.run(`DELETE FROM staged_runs WHERE uid = ?`, name);
};

const countedTables = [
  "packs",
  "chunk_locations",
  "inline_chunks",
  "block_ids",
  "trash",
  "sessions",
] as const;

/** Rows of each table that storage fills. */
export type RowCounts = Readonly<Record<(typeof countedTables)[number], number>>;

/** How many rows there are. */
export const countRows: Procedure<Record<string, never>, RowCounts> = async (tx) => {
  const counts: [string, number][] = [];
  for (const table of countedTables) {
    const row = await tx.get<{ count: number }>(`SELECT COUNT(*) AS count FROM ${table}`);
    counts.push([table, Number(row!.count)]);
  }
  return Object.fromEntries(counts) as RowCounts;
};
