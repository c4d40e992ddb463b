import { CodedError, isCoded } from "../base/errors.ts";
import { quote } from "../base/quote.ts";
import { parseCommitId, requireOpen, type CommitName } from "../model/commit.ts";
import type { CommitDetail } from "../metadata/index.ts";
import type { PfsDeps } from "./pfs-deps.ts";

/** Where something is to be written: an open commit, or a branch that gets a commit of its own. */
export type WriteTarget = CommitName | { readonly repo: string; readonly branch: string };

/**
 * The commit that is to be written to.
 *
 * @throws CodedError `not_found`, `failed_precondition` when it takes no writes; both say how to get one that does
 */
export async function findWritable({ metadata }: PfsDeps, name: CommitName): Promise<CommitDetail> {
  const detail = await metadata.call("findCommit", name).catch((error: unknown) => {
    throw withRemedy(error, name);
  });
  requireOpen(detail.info);
  return detail;
}

/** Refuses what would be refused later, before its bytes come. */
export async function requireTakesWrites(deps: PfsDeps, target: WriteTarget): Promise<void> {
  if ("id" in target) await findWritable(deps, target);
  else await deps.metadata.call("parentOfNext", { repo: target.repo, parent: target.branch });
}

/** A branch without a commit is what one types who has forgotten to start one. */
function withRemedy(error: unknown, { repo, id }: CommitName): unknown {
  const isBranch = id !== "" && !id.includes("/") && parseCommitId(id) === undefined;
  if (!isCoded(error, "not_found") || error.details["commit"] !== id || !isBranch) return error;
  const { classic } = error.details;
  return new CodedError(
    "not_found",
    `commit ${quote(id)} not found in repo ${repo}: there is nothing to write to\nStart one with "pachctl start-commit ${repo} ${id}", or put with -c`,
    { details: { repo, commit: id, ...(classic === undefined ? {} : { classic }) } },
  );
}
