import { CodedError } from "../base/errors.ts";
import { parseCommitId, type CommitName } from "../model/commit.ts";
import type { Principal } from "../model/principal.ts";
import type { CommitDetail } from "../metadata/index.ts";
import { buildTree, encodeTreeRef, foldDeltas } from "../storage/index.ts";
import { giveCommitHints } from "./commits.ts";
import { ingesting } from "./ingest-files.ts";
import type { PfsDeps } from "./pfs-deps.ts";
import { deltasSince } from "./since.ts";

export interface SquashInput {
  readonly from: readonly CommitName[];
  /** An open commit of the same repo, as `branch/N`. */
  readonly to: CommitName;
  readonly key?: string;
}

/**
 * Writes into an open commit what other commits of its repo have and it has not, one after the other per
 * path. Its provenance becomes theirs. Does not finish it.
 *
 * @throws CodedError `invalid_argument`, `failed_precondition` when `to` is not open, `not_found`
 */
export async function squashCommits(
  deps: PfsDeps,
  _principal: Principal,
  { from, to, key }: SquashInput,
): Promise<void> {
  refuseStrange(from, to);
  const target = await deps.metadata.call("findCommit", to);
  if (target.info.state !== "open")
    throw new CodedError(
      "failed_precondition",
      `commit ${to.repo}/${to.id} is not open: start another one with "pachctl start-commit ${to.repo} ${target.info.branch}"`,
      { details: { ...to, classic: `commit ${to.repo}/${to.id} is not open` } },
    );
  const { uid } = target.info;
  const sources: CommitDetail[] = [];
  for (const name of from) sources.push(await deps.metadata.call("findCommit", name));
  const staged = await ingesting(deps.storage, async (ingest) => {
    const { nodes } = deps.storage;
    const streams = [];
    for (const source of sources)
      streams.push(
        foldDeltas(await deltasSince(deps, source, uid), "sequence", nodes, ingest.nodes),
      );
    const tree = await buildTree(foldDeltas(streams, "squash", nodes, ingest.nodes), ingest.nodes);
    return {
      run: { entries: null, root: encodeTreeRef(tree), bytes: tree.bytes },
      sealed: await ingest.seal(),
    };
  });
  await deps.metadata.call("stageRun", {
    uid,
    ...staged,
    provenanceOf: sources.map(({ info }) => info.uid),
    answer: "{}",
    ...(key === undefined ? {} : { key }),
  });
  giveCommitHints(deps, uid);
}

function refuseStrange(from: readonly CommitName[], to: CommitName): void {
  const refuse = (message: string, remedy: string): never => {
    throw new CodedError("invalid_argument", `${message}: ${remedy}`, {
      details: { classic: message },
    });
  };
  if (from.length === 0)
    refuse(
      `Invalid arguments: fromCommits: []; toCommit: ${to.repo}/${to.id}`,
      "name the commits to squash",
    );
  const [first] = from;
  const other = from.find(({ repo }) => repo !== first!.repo);
  if (other !== undefined)
    refuse(
      `you can only squash commits from the same repo; found ${first!.repo} and ${other.repo}`,
      "squash those of each repo by themselves",
    );
  if (first!.repo !== to.repo)
    refuse(
      `you can only squash commits into the same repo; found ${first!.repo} and ${to.repo}`,
      `name a commit of ${first!.repo}`,
    );
  if (parseCommitId(to.id) === undefined)
    refuse(`invalid commit ID ${to.id}`, `name a commit as branch/N, such as ${to.id}/0`);
}
