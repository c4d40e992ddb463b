import type { CommitName } from "../model/commit.ts";
import { parsePath } from "../model/paths.ts";

/** One part of a URL's path; a slash in it is encoded too: `master/0` becomes `master%2F0`. */
export function part(value: string): string {
  return encodeURIComponent(value.toWellFormed());
}

/** Names a branch on which a call makes a commit of its own. */
export interface BranchName {
  readonly repo: string;
  readonly branch: string;
}

/** `/repos/:repo` */
export function repoUrl(repo: string): string {
  return `/repos/${part(repo)}`;
}

/** `/repos/:repo/commits/:commit` */
export function commitUrl(commit: CommitName): string {
  return `${repoUrl(commit.repo)}/commits/${part(commit.id)}`;
}

/** `/repos/:repo/branches/:branch` */
export function branchUrl({ repo, branch }: BranchName): string {
  return `${repoUrl(repo)}/branches/${part(branch)}`;
}

/** A file's path at the end of a URL: slashes stay, all else is encoded. */
export function rest(path: string): string {
  return parsePath(path).split("/").map(part).join("/");
}

/** `repo/id`, how a commit is written in a query. */
export function commitText(commit: CommitName): string {
  return `${commit.repo}/${commit.id}`;
}
