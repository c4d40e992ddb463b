import { CodedError } from "../base/errors.ts";
import { quote } from "../base/quote.ts";

/** A repo as every list and inspection shows it. Times are microseconds since 1970. */
export interface RepoInfo {
  readonly name: string;
  readonly createdMicros: number;
  /** Sum over finished commits of the bytes each added. */
  readonly sizeBytes: number;
  /** All repos this one is made from, directly or not, sorted by name. */
  readonly provenance: readonly string[];
}

/** @throws CodedError `invalid_argument`, with the original's words, unless letters, digits and `_` alone */
export function parseRepoName(name: string): string {
  if (isRepoName(name)) return name;
  throw new CodedError(
    "invalid_argument",
    `repo name (${quote(name)}) invalid: only alphanumeric and underscore characters allowed, ${repoNameMax} at most`,
    { details: { classic: classicRefusal(name) } },
  );
}

/** What the original says of a name that no repo can have. */
export function classicRefusal(name: string): string {
  return `repo name (${name}) invalid: only alphanumeric and underscore characters allowed`;
}

/** Characters of the longest name of a repo. */
export const repoNameMax = 255;

/** Whether a repo, and so a pipeline, can have this name. */
export function isRepoName(name: string): boolean {
  return /^[a-zA-Z0-9_]+$/.test(name) && name.length <= repoNameMax;
}
