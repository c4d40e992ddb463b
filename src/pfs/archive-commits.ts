import type { CommitName } from "../model/commit.ts";
import type { Principal } from "../model/principal.ts";
import type { PfsDeps } from "./pfs-deps.ts";

/**
 * Hides commits, or all there are, from lists and from flush, and all that was made from them. They stay readable by id.
 *
 * @throws CodedError `invalid_argument` for what is not `branch/N`; unknown commits are ignored
 */
export async function archiveCommits(
  deps: PfsDeps,
  _principal: Principal,
  commits: CommitName[] | "all",
): Promise<void> {
  if (commits === "all") await deps.metadata.call("archiveAll", {});
  else await deps.metadata.call("archiveCommits", { commits });
  deps.hints.give("commits");
}
