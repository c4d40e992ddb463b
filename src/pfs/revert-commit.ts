import { CodedError, isCoded } from "../base/errors.ts";
import { randomHex } from "../base/random.ts";
import { parseCommitId, type CommitInfo, type CommitName } from "../model/commit.ts";
import type { Principal } from "../model/principal.ts";
import type { CommitDetail } from "../metadata/index.ts";
import {
  buildTree,
  decodeTreeRef,
  diff,
  emptyContent,
  encodeTreeRef,
  isBelow,
  parentKey,
  type Entry,
  type NodeSource,
  type TreeRef,
} from "../storage/index.ts";
import { giveCommitHints } from "./commits.ts";
import { ingesting } from "./ingest-files.ts";
import type { PfsDeps } from "./pfs-deps.ts";
import { answerOf, finishWhole } from "./put-files.ts";

/** Somebody else may finish a commit meanwhile: so often the difference is taken anew. */
const attemptsMax = 10;

export interface RevertInput {
  readonly repo: string;
  readonly branch: string;
  /** A finished commit of the repo, of this branch or another. */
  readonly to: CommitName;
  readonly key?: string;
  readonly signal: AbortSignal;
}

/**
 * Makes a new head of a branch whose files are those of an earlier commit. Its own writes are the
 * difference, so pipelines see what really changed and nothing else; nothing is copied. All of it
 * happens or nothing.
 *
 * @throws CodedError `failed_precondition` when the head or `to` is not finished; `not_found` for a
 *   branch that does not exist; `invalid_argument` for a commit in place of a branch
 */
export async function revertCommit(
  deps: PfsDeps,
  _principal: Principal,
  input: RevertInput,
): Promise<CommitInfo> {
  const asCommit = parseCommitId(input.branch);
  if (asCommit !== undefined)
    throw new CodedError(
      "invalid_argument",
      `Cannot revert ${input.repo}/${input.branch}: it is a commit. Name the branch that is to get a new one, such as ${asCommit.branch}`,
    );
  for (let attempt = 1; ; attempt++) {
    try {
      return await revertOnce(deps, input);
    } catch (error) {
      const isRaced = isCoded(error, "aborted") && error.details["reason"] === "parent_changed";
      if (!isRaced || attempt === attemptsMax) throw error;
    }
  }
}

async function revertOnce(deps: PfsDeps, input: RevertInput): Promise<CommitInfo> {
  const { repo, branch, key } = input;
  const answered = await answerOf<CommitInfo>(deps, key);
  if (answered !== undefined) return await finishWhole(deps, answered.uid, { ...input, waitMs: 0 });
  const target = await deps.metadata.call("findCommit", input.to);
  const head = await deps.metadata.call("parentOfNext", { repo, parent: branch });
  if (head === null)
    throw new CodedError(
      "not_found",
      `branch ${branch} not found in repo ${repo}: "pachctl list-branch ${repo}" shows what is there`,
      { details: { repo } },
    );
  const [from, to] = [finishedRoot(head), finishedRoot(target)];
  const uid = randomHex(deps.random);
  const stamp = { modifiedMicros: deps.clock.nowMicros(), commit: Buffer.from(uid, "hex") };
  const info = await ingesting(deps.storage, async (ingest) => {
    const { nodes } = deps.storage;
    const delta = await buildTree(deltaBetween(from, to, nodes, stamp), ingest.nodes);
    return await deps.metadata.call("startClosing", {
      repo,
      parent: branch,
      expectedParent: head.info.uid,
      provenance: [],
      uid,
      run: { entries: null, root: encodeTreeRef(delta), bytes: delta.bytes },
      sealed: await ingest.seal(),
      ...(key === undefined ? {} : { key }),
    });
  });
  giveCommitHints(deps, info.uid);
  return await finishWhole(deps, info.uid, { ...input, waitMs: 0 });
}

function finishedRoot({ info, root }: CommitDetail): TreeRef {
  if (root !== null) return decodeTreeRef(root);
  const name = `${info.repo} ${info.id}`;
  const remedy =
    info.state === "cancelled"
      ? `Name one that is finished: "pachctl list-commit ${info.repo}" shows what is there`
      : `End it with "pachctl finish-commit ${name}" or "pachctl finish-commit --cancel ${name}", or name another`;
  throw new CodedError(
    "failed_precondition",
    `commit ${info.repo}/${info.id} is ${info.state}, so nothing can be reverted from or to it\n${remedy}`,
    { details: { repo: info.repo, commit: info.id } },
  );
}

type Stamp = Pick<Entry, "modifiedMicros" | "commit">;

/** The writes that make one tree of another, in normal form. */
async function* deltaBetween(
  from: TreeRef,
  to: TreeRef,
  nodes: NodeSource,
  stamp: Stamp,
): AsyncGenerator<Entry, void, void> {
  let cleared: Buffer | undefined;
  const named: Buffer[] = [];
  for await (const { key, before, after } of diff(from, to, nodes)) {
    if (after === undefined && cleared !== undefined && isBelow(key, cleared)) continue;
    yield* directoriesAbove(key, named, stamp);
    const isOther = before !== undefined && before.type !== after?.type;
    if (isOther) cleared = key;
    if (after === undefined)
      yield { key, type: "none", reset: false, clear: true, content: emptyContent, ...stamp };
    else yield { ...after, ...stamp, reset: after.type === "file", clear: isOther };
    if (after?.type === "dir") named.push(key);
  }
}

/** A delta names the directories of what it writes; `named` are those above the last key, top first. */
function* directoriesAbove(
  key: Buffer,
  named: Buffer[],
  stamp: Stamp,
): Generator<Entry, void, void> {
  while (named.length > 0 && !isBelow(key, named.at(-1)!)) named.pop();
  const missing: Buffer[] = [];
  for (let dir = parentKey(key); dir.length > (named.at(-1)?.length ?? 0); dir = parentKey(dir))
    missing.push(dir);
  for (const dir of missing.reverse()) {
    named.push(dir);
    yield { key: dir, type: "dir", reset: false, clear: false, content: emptyContent, ...stamp };
  }
}
