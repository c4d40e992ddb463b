import type { NewRun, Sealed, StagedRun } from "../metadata/index.ts";
import {
  buildTree,
  emptyContent,
  encodeTreeRef,
  foldDeltas,
  stampDelta,
  type Entry,
} from "../storage/index.ts";
import { giveCommitHints } from "./commits.ts";
import { ingesting } from "./ingest-files.ts";
import { runEntries } from "./open-roots.ts";
import type { PfsDeps } from "./pfs-deps.ts";

/**
 * Stages several deltas in an open commit as one: contents are concatenated per path in the order
 * given, and where any of them replaced a file, what the parent had goes (contract 2.8); with `replacing`, all
 * that the parent had goes. Repeating it with the same key does nothing.
 *
 * @throws CodedError `failed_precondition` when one path is a file in one and a directory in another
 */
export async function stageSquash(
  deps: PfsDeps,
  input: {
    uid: string;
    key: string;
    /** The job whose output this is, if it is one. */
    jobId?: string;
    replacing?: boolean;
    deltas: readonly Pick<StagedRun, "entries" | "root">[];
  },
): Promise<void> {
  const { run, sealed } = await squash(deps, input);
  await deps.metadata.call("stageRun", {
    uid: input.uid,
    run,
    sealed,
    key: input.key,
    ...(input.jobId === undefined ? {} : { jobId: input.jobId }),
    answer: "{}",
  });
  giveCommitHints(deps, input.uid);
}

async function squash(
  deps: PfsDeps,
  {
    deltas,
    uid,
    replacing = false,
  }: {
    deltas: readonly Pick<StagedRun, "entries" | "root">[];
    uid: string;
    replacing?: boolean;
  },
): Promise<{ run: NewRun; sealed: Sealed }> {
  return await ingesting(deps.storage, async (ingest) => {
    const commit = Buffer.from(uid, "hex");
    const streams: (AsyncIterable<Entry> | Iterable<Entry>)[] = deltas.map((delta) =>
      stampDelta(runEntries(delta, deps.storage.nodes), commit),
    );
    if (replacing) streams.unshift([clearOfAll(commit, deps.clock.nowMicros())]);
    const tree = await buildTree(
      foldDeltas(streams, "squash", deps.storage.nodes, ingest.nodes),
      ingest.nodes,
    );
    return {
      run: { entries: null, root: encodeTreeRef(tree), bytes: tree.bytes },
      sealed: await ingest.seal(),
    };
  });
}

/** Says that nothing the parent had is left. */
function clearOfAll(commit: Buffer, modifiedMicros: number): Entry {
  return {
    key: Buffer.alloc(0),
    type: "none",
    reset: false,
    clear: true,
    content: emptyContent,
    modifiedMicros,
    commit,
  };
}
