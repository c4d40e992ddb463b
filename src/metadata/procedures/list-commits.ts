import type { CommitInfo, CommitName } from "../../model/commit.ts";
import type { Procedure, Tx } from "../metadata-store.ts";
import { infoOfRow, resolveRow, type CommitRow } from "./commit-rows.ts";
import { requireRepo } from "./repos.ts";

/** A repo, or the ancestors of a commit in it when `id` is given. */
export interface CommitSelector {
  readonly repo: string;
  readonly id?: string;
}

export interface ListCommitsInput {
  /** Nothing selects every repo. */
  readonly include: readonly CommitSelector[];
  readonly exclude: readonly CommitSelector[];
  /** Only commits made from all of these. */
  readonly provenance: readonly CommitName[];
  readonly type: "NONE" | "READ" | "WRITE";
  /** NORMAL hides cancelled and archived commits. */
  readonly status: "NORMAL" | "ARCHIVED" | "CANCELLED" | "ALL";
}

/** Commits per repo in the order of branch name and number (contract 2.6). */
export const listCommits: Procedure<ListCommitsInput, CommitInfo[]> = async (tx, input) => {
  const infos: CommitInfo[] = [];
  for (const repo of await selectedRepos(tx, input)) {
    const included = await ancestorSets(
      tx,
      input.include.filter((selector) => selector.repo === repo),
    );
    const excluded = await ancestorSets(
      tx,
      input.exclude.filter((selector) => selector.repo === repo),
    );
    for (const row of await tx.all<CommitRow>(
      `SELECT * FROM commits WHERE repo = ? ORDER BY branch, number`,
      repo,
    )) {
      if (!included.every((set) => set.has(row.uid)) || excluded.some((set) => set.has(row.uid)))
        continue;
      if (!isWanted(row, input)) continue;
      const info = await infoOfRow(tx, row);
      if (
        input.provenance.every((name) =>
          info.provenance.some((up) => up.repo === name.repo && up.id === name.id),
        )
      )
        infos.push(info);
    }
  }
  return infos;
};

async function selectedRepos(tx: Tx, input: ListCommitsInput): Promise<string[]> {
  const named = [...new Set([...input.include, ...input.exclude].map((selector) => selector.repo))];
  for (const repo of named) await requireRepo(tx, repo);
  if (named.length > 0) return named;
  return (await tx.all<{ name: string }>(`SELECT name FROM repos ORDER BY name`)).map(
    (row) => row.name,
  );
}

async function ancestorSets(tx: Tx, selectors: readonly CommitSelector[]): Promise<Set<string>[]> {
  const sets: Set<string>[] = [];
  for (const { repo, id } of selectors) {
    if (id === undefined || id === "") continue;
    const set = new Set<string>();
    let row: CommitRow | undefined = await resolveRow(tx, { repo, id });
    while (row !== undefined) {
      set.add(row.uid);
      row =
        row.parent_uid === null
          ? undefined
          : await tx.get<CommitRow>(`SELECT * FROM commits WHERE uid = ?`, row.parent_uid);
    }
    sets.push(set);
  }
  return sets;
}

function isWanted(row: CommitRow, { type, status }: ListCommitsInput): boolean {
  const isOpen = row.state === "open" || row.state === "closing";
  if (type === "READ" && isOpen) return false;
  if (type === "WRITE" && !isOpen) return false;
  if (row.state === "cancelled" && status !== "CANCELLED" && status !== "ALL") return false;
  return row.archived === 0 || status === "ARCHIVED" || status === "ALL";
}
