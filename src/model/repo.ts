import { CodedError } from "../base/errors.ts";

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
  if (/^[a-zA-Z0-9_]+$/.test(name) && name.length <= 255) return name;
  throw new CodedError(
    "invalid_argument",
    `repo name (${name}) invalid: only alphanumeric and underscore characters allowed`,
  );
}
