import type { CommitName } from "../model/commit.ts";
import { keyOfPath, parseEntryPath } from "../model/paths.ts";
import type { Principal } from "../model/principal.ts";
import { nothingSealed } from "../metadata/index.ts";
import { emptyContent, encodeRun, type Entry } from "../storage/index.ts";
import { giveCommitHints } from "./commits.ts";
import { findWritable } from "./find-writable.ts";
import { refuseTypeConflicts } from "./file-conflicts.ts";
import type { PfsDeps } from "./pfs-deps.ts";

/**
 * Makes a directory, and those above it, in an open commit; one that is there is left as it is.
 *
 * @throws CodedError `failed_precondition` when a file is in its place
 */
export async function makeDirectory(
  deps: PfsDeps,
  _principal: Principal,
  input: { commit: CommitName; path: string; key?: string },
): Promise<void> {
  const detail = await findWritable(deps, input.commit);
  const { info } = detail;
  const parts = parseEntryPath(input.path).split("/");
  const entries = parts.map((_, depth): Entry => ({
    key: keyOfPath(parts.slice(0, depth + 1).join("/")),
    type: "dir",
    reset: false,
    clear: false,
    content: emptyContent,
    modifiedMicros: deps.clock.nowMicros(),
    commit: Buffer.from(info.uid, "hex"),
  }));
  await refuseTypeConflicts(deps.openRoots, detail, entries);
  await deps.metadata.call("stageRun", {
    uid: info.uid,
    run: { entries: encodeRun(entries), root: null, bytes: 0 },
    sealed: nothingSealed,
    answer: "{}",
    ...(input.key === undefined ? {} : { key: input.key }),
  });
  giveCommitHints(deps, info.uid);
}
