import { requireOpen, type CommitName } from "../model/commit.ts";
import { keyOfPath, parsePath } from "../model/paths.ts";
import type { Principal } from "../model/principal.ts";
import { emptyContent, encodeRun, type Entry } from "../storage/index.ts";
import { giveCommitHints } from "./commits.ts";
import type { PfsDeps } from "./pfs-deps.ts";

/** Removes a path and everything below it from an open commit; what is not there is not an error. */
export async function deleteFile(
  deps: PfsDeps,
  _principal: Principal,
  input: { commit: CommitName; path: string; key?: string },
): Promise<void> {
  const { info } = await deps.metadata.call("findCommit", input.commit);
  requireOpen(info);
  const cleared: Entry = {
    key: keyOfPath(parsePath(input.path)),
    type: "none",
    reset: false,
    clear: true,
    content: emptyContent,
    modifiedMicros: deps.clock.nowMicros(),
    commit: Buffer.from(info.uid, "hex"),
  };
  await deps.metadata.call("stageRun", {
    uid: info.uid,
    run: { entries: encodeRun([cleared]), root: null, bytes: 0 },
    sealed: { epoch: 0, packs: [], kept: [], inline: [] },
    answer: "{}",
    ...(input.key === undefined ? {} : { key: input.key }),
  });
  giveCommitHints(deps, info.uid);
}
