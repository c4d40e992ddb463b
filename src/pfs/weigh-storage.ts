import type { CommitName } from "../model/commit.ts";
import type { Principal } from "../model/principal.ts";
import type { StorageUse } from "../model/storage-use.ts";
import type { OutputOf } from "../metadata/index.ts";
import { decodeRun, decodeTreeRef, type Storage } from "../storage/index.ts";
import { inspectCommit } from "./commits.ts";
import type { PfsDeps } from "./pfs-deps.ts";
import { inspectRepo } from "./repos.ts";

/** Rows asked for at a time: one may hold 256 KiB. */
const rowsPerPage = 64;
const tables = ["attempts", "staged_runs", "commits", "put_blocks"] as const;

type Owned = OutputOf<"listOwnedRefs">["refs"][number];
type Weighed = Parameters<Storage["bulk"]["weigh"]>[0];

/**
 * Tells what the content of a repo takes: all of its commits together, open ones too.
 *
 * @throws CodedError `not_found`
 */
export async function weighRepo(
  deps: PfsDeps,
  principal: Principal,
  name: string,
  signal: AbortSignal,
): Promise<StorageUse> {
  const { sizeBytes } = await inspectRepo(deps, principal, name);
  const isOwn = ({ repo, uid }: Owned): boolean => uid !== null && repo === name;
  const use = await deps.storage.bulk.weigh(weighed(deps, { isOwn, repo: name }, signal), signal);
  return { logicalBytes: sizeBytes, ...use };
}

/**
 * The same of one commit: what it shows and what it wrote.
 *
 * @throws CodedError `not_found`
 */
export async function weighCommit(
  deps: PfsDeps,
  principal: Principal,
  commit: CommitName,
  signal: AbortSignal,
): Promise<StorageUse> {
  const info = await inspectCommit(deps, principal, commit);
  const isOwn = ({ uid }: Owned): boolean => uid === info.uid;
  const own = weighed(deps, { isOwn, repo: info.repo }, signal);
  const use = await deps.storage.bulk.weigh(own, signal);
  let shownBytes = info.sizeBytes;
  if (info.state === "finished")
    for await (const { trees } of own.own()) shownBytes = trees.at(-1)?.bytes ?? 0;
  return { logicalBytes: shownBytes, ...use };
}

/**
 * What is the subject's, and what is not. What tasks have put out belongs to the repo that their jobs write to:
 * it goes with it, and is not weighed.
 */
function weighed(
  { metadata }: PfsDeps,
  { isOwn, repo }: { isOwn: (refs: Owned) => boolean; repo: string },
  signal: AbortSignal,
): Weighed {
  const all = async function* (isWanted: (refs: Owned) => boolean) {
    for (const table of tables)
      for (let after: (string | number)[] | null = null; ;) {
        signal.throwIfAborted();
        const page: OutputOf<"listOwnedRefs"> = await metadata.call("listOwnedRefs", {
          table,
          after,
          limit: rowsPerPage,
        });
        for (const refs of page.refs)
          if (isWanted(refs))
            yield {
              trees: refs.trees.map((tree) => decodeTreeRef(tree)),
              entries: refs.entries === null ? [] : decodeRun(refs.entries),
            };
        if (page.next === null) break;
        after = page.next;
      }
  };
  const isOfItsTasks = (refs: Owned): boolean => refs.uid === null && refs.repo === repo;
  return {
    own: () => all(isOwn),
    others: () => all((refs) => !isOwn(refs) && !isOfItsTasks(refs)),
  };
}
