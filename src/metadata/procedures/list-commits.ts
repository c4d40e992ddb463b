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
    const matches = await matcherFor(tx, repo, input);
    for (const row of await tx.all<CommitRow>(
      `SELECT * FROM commits WHERE repo = ? ORDER BY branch, number`,
      repo,
    )) {
      const info = await matches(row);
      if (info !== undefined) infos.push(info);
    }
  }
  return infos;
};

/** Commits that have ended, in the order in which they did. */
export interface EndedCommits {
  readonly commits: { readonly number: number; readonly info: CommitInfo }[];
  /** How far was looked: goes on from here. */
  readonly until: number;
  /** There may be more behind it at once. */
  readonly isMore: boolean;
}

/** The next commits that match, of those that ended after a number; looks at `limit` of a repo at most. */
export const listEndedCommits: Procedure<
  ListCommitsInput & { after: number; limit: number },
  EndedCommits
> = async (tx, input) => {
  const rows: CommitRow[] = [];
  const matchers = new Map<string, (row: CommitRow) => Promise<CommitInfo | undefined>>();
  let until = Number.MAX_SAFE_INTEGER;
  for (const repo of await selectedRepos(tx, input)) {
    matchers.set(repo, await matcherFor(tx, repo, input));
    const next = await tx.all<CommitRow>(
      `SELECT * FROM commits WHERE repo = ? AND finish_number > ? ORDER BY finish_number LIMIT ?`,
      repo,
      input.after,
      input.limit,
    );
    // What ended after the last of a full page, in whichever repo, waits for the next call.
    if (next.length === input.limit) until = Math.min(until, next.at(-1)!.finish_number!);
    rows.push(...next);
  }
  const isMore = until !== Number.MAX_SAFE_INTEGER;
  const within = rows.filter((row) => row.finish_number! <= until);
  within.sort((a, b) => a.finish_number! - b.finish_number!);
  const commits: EndedCommits["commits"] = [];
  for (const row of within) {
    const info = await matchers.get(row.repo)!(row);
    if (info !== undefined) commits.push({ number: row.finish_number!, info });
  }
  return { commits, until: within.at(-1)?.finish_number ?? input.after, isMore };
};

/** Tells whether a commit of a repo is wanted, and if so what it is. */
async function matcherFor(
  tx: Tx,
  repo: string,
  input: ListCommitsInput,
): Promise<(row: CommitRow) => Promise<CommitInfo | undefined>> {
  const ofRepo = (selector: CommitSelector): boolean => selector.repo === repo;
  const included = await ancestorSets(tx, input.include.filter(ofRepo));
  const excluded = await ancestorSets(tx, input.exclude.filter(ofRepo));
  return async (row) => {
    if (!included.every((set) => set.has(row.uid)) || excluded.some((set) => set.has(row.uid)))
      return undefined;
    if (!isWanted(row, input)) return undefined;
    const info = await infoOfRow(tx, row);
    const isFrom = (name: CommitName): boolean =>
      info.provenance.some((up) => up.repo === name.repo && up.id === name.id);
    return input.provenance.every(isFrom) ? info : undefined;
  };
}

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
