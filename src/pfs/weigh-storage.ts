import type { CommitName } from "../model/commit.ts";
import type { Principal } from "../model/principal.ts";
import type { CommitUse, StorageUse } from "../model/storage-use.ts";
import type { OutputOf } from "../metadata/index.ts";
import {
  decodeRun,
  decodeTreeRef,
  type Entry,
  type Storage,
  type TreeRef,
} from "../storage/index.ts";
import { inspectCommit, listCommits } from "./commits.ts";
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
 * The same of all commits of a repo, in the order of their ids.
 *
 * @throws CodedError `not_found`
 */
export async function weighCommits(
  deps: PfsDeps,
  principal: Principal,
  repo: string,
  signal: AbortSignal,
): Promise<CommitUse[]> {
  const infos = await listCommits(deps, principal, {
    include: [{ repo }],
    exclude: [],
    provenance: [],
    type: "NONE",
    status: "ALL",
    block: false,
    signal,
  });
  const numbers = new Map(infos.map(({ uid }, index) => [uid, index + 1]));
  const shown = new Map<number, number>();
  const ownerOf = ({ uid }: Owned): number | undefined =>
    uid === null ? undefined : numbers.get(uid);
  const own = async function* () {
    for await (const owned of ownedRefs(deps, signal)) {
      const owner = ownerOf(owned);
      if (owner === undefined) continue;
      const refs = refsOf(owned);
      shown.set(owner, refs.trees.at(-1)?.bytes ?? 0);
      yield { owner, refs };
    }
  };
  const others = async function* () {
    for await (const owned of ownedRefs(deps, signal))
      if (ownerOf(owned) === undefined && !isOfTasks(owned, repo)) yield refsOf(owned);
  };
  const uses = await deps.storage.bulk.weighEach({ own, others }, signal);
  return infos.map((commit, index) => {
    const { uniqueBytes = 0, sharedBytes = 0, uniqueStoredBytes = 0 } = uses.get(index + 1) ?? {};
    const isOver = commit.state === "finished";
    return {
      commit,
      logicalBytes: isOver ? (shown.get(index + 1) ?? 0) : commit.sizeBytes,
      uniqueBytes,
      sharedBytes,
      uniqueStoredBytes: Math.round(uniqueStoredBytes),
    };
  });
}

/**
 * What is the subject's, and what is not. What tasks have put out belongs to the repo that their jobs write to:
 * it goes with it, and is not weighed.
 */
function weighed(
  deps: PfsDeps,
  { isOwn, repo }: { isOwn: (refs: Owned) => boolean; repo: string },
  signal: AbortSignal,
): Weighed {
  const all = async function* (isWanted: (refs: Owned) => boolean) {
    for await (const owned of ownedRefs(deps, signal)) if (isWanted(owned)) yield refsOf(owned);
  };
  return {
    own: () => all(isOwn),
    others: () => all((refs) => !isOwn(refs) && !isOfTasks(refs, repo)),
  };
}

function isOfTasks(owned: Owned, repo: string): boolean {
  return owned.uid === null && owned.repo === repo;
}

/** All that refers to content; what a commit has comes together. */
async function* ownedRefs(
  { metadata }: PfsDeps,
  signal: AbortSignal,
): AsyncGenerator<Owned, void, void> {
  for (const table of tables)
    for (let after: (string | number)[] | null = null; ;) {
      signal.throwIfAborted();
      const page: OutputOf<"listOwnedRefs"> = await metadata.call("listOwnedRefs", {
        table,
        after,
        limit: rowsPerPage,
      });
      yield* page.refs;
      if (page.next === null) break;
      after = page.next;
    }
}

function refsOf({ trees, entries }: Owned): { trees: TreeRef[]; entries: Entry[] } {
  return {
    trees: trees.map((tree) => decodeTreeRef(tree)),
    entries: entries === null ? [] : decodeRun(entries),
  };
}
