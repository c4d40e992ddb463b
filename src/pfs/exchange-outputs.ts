import type { NewRun, StagedRun } from "../metadata/index.ts";
import {
  decodeTreeRef,
  encodeTreeRef,
  foldDeltas,
  scan,
  stampDelta,
  updateTree,
  type Entry,
  type Ingest,
  type NodeSource,
  type TreeRef,
} from "../storage/index.ts";
import { ingesting } from "./ingest-files.ts";
import { runEntries } from "./run-entries.ts";
import type { PfsDeps } from "./pfs-deps.ts";
import { SquashFacts } from "./squash-facts.ts";
import { stageSquashed, type SquashInput } from "./squash.ts";

type Change = Parameters<typeof updateTree>[1] extends
  | AsyncIterable<infer One>
  | Iterable<infer One>
  ? One
  : never;

/** What changes more than this is squashed as a whole: all of it is in memory here. */
const changesMax = 32_768;

/** An output made from an earlier one: what `gone` wrote is not there, what the deltas say is. */
export interface ExchangeInput extends SquashInput {
  /** A finished commit of the same repo, without parent, whose deltas were disjoint; `gone` are some of them. */
  readonly baseUid: string;
  readonly gone: readonly Pick<StagedRun, "entries" | "root">[];
}

/**
 * Stages in an open commit without parent what squashing all deltas would, at the cost of those that differ.
 * False when that cannot be told from them, because a path is of two deltas: nothing is staged then.
 */
export async function stageExchange(deps: PfsDeps, input: ExchangeInput): Promise<boolean> {
  const { root, parentUid } = await deps.metadata.call("commitByUid", { uid: input.baseUid });
  if (root === null || parentUid !== null) return false;
  const staged = await ingesting(deps.storage, async (ingest) => {
    const tree = await exchange(deps, input, { base: decodeTreeRef(root), ingest });
    if (tree === undefined) return undefined;
    const run: NewRun = { entries: null, root: encodeTreeRef(tree), bytes: tree.bytes };
    return { run, sealed: await ingest.seal(), isStanding: true };
  });
  if (staged !== undefined) await stageSquashed(deps, input, staged);
  return staged !== undefined;
}

async function exchange(
  deps: PfsDeps,
  { uid, deltas, gone }: ExchangeInput,
  { base, ingest }: { base: TreeRef; ingest: Ingest },
): Promise<TreeRef | undefined> {
  const { nodes } = deps.storage;
  const folded = async (
    runs: ExchangeInput["gone"],
    facts: SquashFacts,
  ): Promise<Entry[] | undefined> => {
    const commit = Buffer.from(uid, "hex");
    const streams = runs.map((run) => facts.watch(stampDelta(runEntries(run, nodes), commit)));
    const entries: Entry[] = [];
    const squashed = foldDeltas(streams, "squash", nodes, ingest.nodes);
    for await (const entry of facts.watchSquashed(squashed)) {
      if (entries.push(entry) > changesMax) return undefined;
    }
    return facts.isDisjoint ? entries : undefined;
  };
  const before = await folded(gone, new SquashFacts());
  const now = await folded(deltas, new SquashFacts());
  if (before === undefined || now === undefined) return undefined;
  let overlaps = false;
  const changes = changesOf(before, now, () => (overlaps = true));
  const changed = await updateTree(base, changes, nodes, ingest.nodes);
  if (overlaps) return undefined;
  return await updateTree(changed, await emptied(before, changed, nodes), nodes, ingest.nodes);
}

/** What happens to each key that any of the deltas names; directories that were there stay for now. */
function changesOf(
  before: readonly Entry[],
  now: readonly Entry[],
  onOverlap: () => void,
): Change[] {
  const pairs = new Map<string, { gone?: Entry; put?: Entry }>();
  for (const gone of before) pairs.set(gone.key.toString("latin1"), { gone });
  for (const put of now) {
    const key = put.key.toString("latin1");
    pairs.set(key, { ...pairs.get(key), put });
  }
  return [...pairs.values()]
    .map(({ gone, put }) => ({
      key: (put ?? gone)!.key,
      merge: (there: Entry | undefined) => {
        const isFree = there === undefined || (there.type === "file" && gone?.type === "file");
        if (isFree) return put;
        if (there.type !== (put ?? gone)!.type || there.type === "file") onOverlap();
        return there;
      },
    }))
    .toSorted((a, b) => Buffer.compare(a.key, b.key));
}

/** The directories of what is gone in which no file is left. */
async function emptied(
  before: readonly Entry[],
  tree: TreeRef,
  nodes: NodeSource,
): Promise<Change[]> {
  const changes: Change[] = [];
  for (const { key, type } of before)
    if (type === "dir" && !(await holdsFile(tree, key, nodes)))
      changes.push({ key, merge: () => undefined });
  return changes;
}

async function holdsFile(tree: TreeRef, directory: Buffer, nodes: NodeSource): Promise<boolean> {
  for await (const { type } of scan(tree, { below: directory }, nodes))
    if (type === "file") return true;
  return false;
}
