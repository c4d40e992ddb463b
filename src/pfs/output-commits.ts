import { isCoded } from "../base/errors.ts";
import { giveCommitHints } from "./commits.ts";
import { finishByUid } from "./finish-commit.ts";
import type { PfsDeps } from "./pfs-deps.ts";

/** Long enough for any parent that is being finished; a parent that stays open is tried again later. */
const waitMs = 10_000;

/**
 * Ends the output commit of a job: `finish` makes it a result, `cancel` hides it from lists and leaves
 * it readable by id. Does nothing when it has ended already.
 */
export async function endOutput(
  deps: PfsDeps,
  output: { uid: string; jobId: string; how: "finish" | "cancel" },
  signal: AbortSignal,
): Promise<void> {
  const { uid, jobId, how } = output;
  if (how === "finish") {
    await finishByUid(deps, uid, { waitMs, signal, jobId });
    return;
  }
  try {
    await deps.metadata.call("cancelCommit", { uid });
  } catch (error) {
    if (!isCoded(error, "failed_precondition")) throw error;
  }
  giveCommitHints(deps, uid);
}
