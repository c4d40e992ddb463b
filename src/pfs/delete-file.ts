import type { CommitName } from "../model/commit.ts";
import { keyOfPath, parsePath, type FilePath } from "../model/paths.ts";
import type { Principal } from "../model/principal.ts";
import { nothingSealed } from "../metadata/index.ts";
import { emptyContent, encodeRun, type Entry } from "../storage/index.ts";
import { giveCommitHints } from "./commits.ts";
import { findWritable } from "./find-writable.ts";
import type { Stamp } from "./ingest-files.ts";
import type { PfsDeps } from "./pfs-deps.ts";

/** Removes a path and everything below it from an open commit; what is not there is not an error. */
export async function deleteFile(
  deps: PfsDeps,
  _principal: Principal,
  input: { commit: CommitName; path: string; key?: string },
): Promise<void> {
  const { info } = await findWritable(deps, input.commit);
  const cleared = clearedEntry(parsePath(input.path), {
    uid: info.uid,
    modifiedMicros: deps.clock.nowMicros(),
  });
  await deps.metadata.call("stageRun", {
    uid: info.uid,
    run: { entries: encodeRun([cleared]), root: null, bytes: 0 },
    sealed: nothingSealed,
    answer: "{}",
    ...(input.key === undefined ? {} : { key: input.key }),
  });
  giveCommitHints(deps, info.uid);
}

/** What a delta says of a path that goes with everything below it. */
export function clearedEntry(path: FilePath, { uid, modifiedMicros }: Stamp): Entry {
  return {
    key: keyOfPath(path),
    type: "none",
    reset: false,
    clear: true,
    content: emptyContent,
    modifiedMicros,
    commit: Buffer.from(uid, "hex"),
  };
}
