import { CodedError } from "../base/errors.ts";
import { randomHex } from "../base/random.ts";
import type { CommitInfo, CommitName } from "../model/commit.ts";
import type { Principal } from "../model/principal.ts";
import type { CommitDetail } from "../metadata/index.ts";
import { buildTree, decodeTreeRef, encodeTreeRef, scan, type Entry } from "../storage/index.ts";
import { giveCommitHints } from "./commits.ts";
import { ingesting } from "./ingest-files.ts";
import type { PfsDeps } from "./pfs-deps.ts";
import { finishWhole } from "./put-files.ts";

export interface ReplayInput {
  /** Finished commits of one repo. */
  readonly from: readonly CommitName[];
  /** Made when it is not there. */
  readonly branch: string;
  /** Of the request; each new commit has a key of its own made from it. */
  readonly key?: string;
  readonly signal: AbortSignal;
}

/**
 * Copies every commit in the history of the given ones that a branch does not have, oldest first, as new
 * finished commits on it. Provenance is not copied.
 *
 * @throws CodedError `invalid_argument`, `failed_precondition` for a commit that is not finished, `not_found`
 */
export async function replayCommits(
  deps: PfsDeps,
  _principal: Principal,
  { from, branch, key, signal }: ReplayInput,
): Promise<CommitInfo[]> {
  const [first] = from;
  if (first === undefined || branch === "") {
    const classic = `Invalid arguments: fromCommits: [${from.map(({ repo, id }) => `${repo}/${id}`).join(" ")}]; toBranch: ${branch}`;
    throw new CodedError("invalid_argument", `${classic}: name commits and a branch`, {
      details: { classic },
    });
  }
  const copies: CommitInfo[] = [];
  for (const source of await missingOn(deps, from, { repo: first.repo, branch }))
    copies.push(await copy(deps, source, { branch, signal, ...keyOf(key, copies.length) }));
  return copies;
}

/** Commits that the branch does not have, oldest first. */
async function missingOn(
  deps: PfsDeps,
  from: readonly CommitName[],
  to: { repo: string; branch: string },
): Promise<CommitDetail[]> {
  const { metadata } = deps;
  const head = await metadata.call("parentOfNext", { repo: to.repo, parent: to.branch });
  const had = new Set<string>();
  if (head !== null)
    for (const { uid } of await metadata.call("ancestry", { uid: head.info.uid })) had.add(uid);
  const missing: CommitDetail[] = [];
  for (const name of from) {
    const { info } = await metadata.call("findCommit", name);
    const line = await metadata.call("ancestry", { uid: info.uid });
    for (const { uid } of line.toReversed()) {
      if (had.has(uid)) continue;
      had.add(uid);
      missing.push(await metadata.call("commitByUid", { uid }));
    }
  }
  return missing;
}

async function copy(
  deps: PfsDeps,
  { info, delta }: CommitDetail,
  { branch, signal, key }: { branch: string; signal: AbortSignal; key?: string },
): Promise<CommitInfo> {
  if (delta === null)
    throw new CodedError(
      "failed_precondition",
      `Cannot replay commit ${info.repo}/${info.id}: it is ${info.state}. Finish it first`,
      { details: { repo: info.repo, commit: info.id } },
    );
  const uid = randomHex(deps.random);
  const stamp = { modifiedMicros: deps.clock.nowMicros(), commit: Buffer.from(uid, "hex") };
  const started = await ingesting(deps.storage, async (ingest) => {
    const writes = stamped(scan(decodeTreeRef(delta), {}, deps.storage.nodes), stamp);
    const tree = await buildTree(writes, ingest.nodes);
    return await deps.metadata.call("startClosing", {
      repo: info.repo,
      parent: branch,
      provenance: [],
      uid,
      run: { entries: null, root: encodeTreeRef(tree), bytes: tree.bytes },
      sealed: await ingest.seal(),
      ...(key === undefined ? {} : { key }),
    });
  });
  giveCommitHints(deps, started.uid);
  return await finishWhole(deps, started.uid, {
    waitMs: 0,
    signal,
    ...(key === undefined ? {} : { key }),
  });
}

async function* stamped(
  entries: AsyncIterable<Entry>,
  stamp: Pick<Entry, "modifiedMicros" | "commit">,
): AsyncGenerator<Entry, void, void> {
  for await (const entry of entries) yield { ...entry, ...stamp };
}

function keyOf(key: string | undefined, copy: number): { key?: string } {
  return key === undefined ? {} : { key: `${key} ${copy}` };
}
