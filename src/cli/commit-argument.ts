import { CodedError } from "../base/errors.ts";
import type { CommitRange } from "../client/index.ts";
import type { CommitName } from "../model/commit.ts";

/**
 * Reads `repo/branch/N` or `repo/branch`.
 *
 * @throws CodedError `usage`
 */
export function parseCommitArgument(typed: string): CommitName {
  const slash = typed.indexOf("/");
  const [repo, id] = [typed.slice(0, slash), typed.slice(slash + 1)];
  if (slash > 0 && id !== "") return { repo, id };
  throw new CodedError(
    "usage",
    `Cannot read "${typed}" as a commit. Write repo/commit, such as data/master/0`,
  );
}

/** As parseCommitArgument(); a name without a slash is a whole repo. */
export function parseRangeArgument(typed: string): CommitRange {
  return typed === "" || typed.includes("/") ? parseCommitArgument(typed) : { repo: typed };
}
