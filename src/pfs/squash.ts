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
import { runEntries } from "./run-entries.ts";
import type { PfsDeps } from "./pfs-deps.ts";
import { SquashFacts } from "./squash-facts.ts";

/** What is staged, under which key, and for which job if it is its output. */
export interface SquashInput {
  readonly uid: string;
  readonly key: string;
  readonly jobId?: string;
  readonly deltas: readonly Pick<StagedRun, "entries" | "root">[];
  /** Other jobs ran some of the tasks. */
  readonly isReused?: boolean;
  /** What the parent had goes. */
  readonly replacing?: boolean;
}

/**
 * Stages several deltas in an open commit as one: contents are concatenated per path in the order
 * given, and where any of them replaced a file, what the parent had goes (contract 2.8); with
 * `replacing`, all that the parent had goes. Repeating it with the same key does nothing. Says whether no file is of two of them.
 *
 * @throws CodedError `failed_precondition` when one path is a file in one and a directory in another
 */
export async function stageSquash(
  deps: PfsDeps,
  input: SquashInput,
): Promise<{ isDisjoint: boolean }> {
  const facts = new SquashFacts();
  const { run, sealed } = await squash(deps, input, facts);
  // What says that nothing is left is in no root.
  const isStanding = facts.isStanding && input.replacing !== true;
  await stageSquashed(deps, input, { run, sealed, isStanding });
  return { isDisjoint: facts.isDisjoint };
}

/** Stages what deltas came to. */
export async function stageSquashed(
  deps: PfsDeps,
  { uid, key, jobId, isReused = false }: Omit<SquashInput, "deltas">,
  squashed: { run: NewRun; sealed: Sealed; isStanding: boolean },
): Promise<void> {
  await deps.metadata.call("stageRun", {
    uid,
    ...squashed,
    key,
    ...(jobId === undefined ? {} : { jobId }),
    isReused,
    answer: "{}",
  });
  giveCommitHints(deps, uid);
}

async function squash(
  deps: PfsDeps,
  { deltas, uid, replacing = false }: SquashInput,
  facts: SquashFacts,
): Promise<{ run: NewRun; sealed: Sealed }> {
  return await ingesting(deps.storage, async (ingest) => {
    const { nodes } = deps.storage;
    const commit = Buffer.from(uid, "hex");
    const streams: (AsyncIterable<Entry> | Iterable<Entry>)[] = deltas.map((delta) =>
      facts.watch(stampDelta(runEntries(delta, nodes), commit)),
    );
    if (replacing) streams.unshift([clearOfAll(commit, deps.clock.nowMicros())]);
    const squashed = foldDeltas(streams, "squash", nodes, ingest.nodes);
    const tree = await buildTree(facts.watchSquashed(squashed), ingest.nodes);
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
