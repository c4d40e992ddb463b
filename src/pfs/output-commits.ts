import { isCoded } from "../base/errors.ts";
import { giveCommitHints } from "./commits.ts";
import { finishByUid } from "./finish-commit.ts";
import type { PfsDeps } from "./pfs-deps.ts";

/** Long enough for any parent that is being finished; a parent that stays open is tried again later. */
const waitMs = 10_000;

/** Makes an output commit a result. Does nothing when it has ended already. */
export async function finishOutput(deps: PfsDeps, uid: string, signal: AbortSignal): Promise<void> {
  await finishByUid(deps, uid, { waitMs, signal });
}

/** Ends the output commit of a failed job: hidden from lists, readable by id. */
export async function cancelOutput(deps: PfsDeps, uid: string): Promise<void> {
  try {
    await deps.metadata.call("cancelCommit", { uid });
  } catch (error) {
    if (!isCoded(error, "failed_precondition")) throw error;
  }
  giveCommitHints(deps, uid);
}
