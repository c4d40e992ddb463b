import { assert } from "../../base/assert.ts";
import { nextTurn, Turn } from "../../base/next-turn.ts";
import { emptyContent, type Entry, type NodeSink, type NodeSource } from "../tree/entry.ts";
import { isBelow } from "../tree/key-range.ts";
import { foldGroups } from "./fold-groups.ts";
import type { KeyGroup, Ranked } from "./merge-sorted.ts";
import { plainRun } from "./plain-run.ts";
import { sortInTurns } from "./sort-in-turns.ts";

/**
 * The writes of one request, in the order they were made, as a delta in normal form: sorted, one
 * entry a path, the directories on the way to each named. Memory: all of them.
 *
 * @throws CodedError `failed_precondition` with `details.path` when a path is both file and directory
 */
export async function normalizeRun(
  entries: readonly Entry[],
  source: NodeSource,
  sink: NodeSink,
): Promise<Entry[]> {
  const plain = await plainRun(await sortInTurns(entries, byKey), directoryAt);
  if (plain !== undefined) return plain;
  const written: Ranked[] = [];
  const turn = new Turn();
  for (const entry of entries) {
    written.push({ entry, rank: written.length });
    if (turn.isOver()) await nextTurn();
  }
  const said = await sortInTurns(written, compare);
  const all = await sortInTurns((await directoriesOf(said)).concat(said), compare);
  const run: Entry[] = [];
  for await (const entry of foldGroups(grouped(all), "sequence", source, sink)) run.push(entry);
  return run;
}

function byKey(a: Entry, b: Entry): number {
  return Buffer.compare(a.key, b.key);
}

function compare(a: Ranked, b: Ranked): number {
  return Buffer.compare(a.entry.key, b.entry.key) || a.rank - b.rank;
}

function* grouped(sorted: readonly Ranked[]): Generator<KeyGroup> {
  let start = 0;
  for (let end = 1; end <= sorted.length; end++) {
    const { key } = sorted[start]!.entry;
    if (sorted[end]?.entry.key.equals(key) === true) continue;
    yield { key, said: sorted.slice(start, end) };
    start = end;
  }
}

/** Each directory on the way to what is added, once, as made by the last write that needs it. */
async function directoriesOf(sorted: readonly Ranked[]): Promise<Ranked[]> {
  const turn = new Turn();
  const directories: { entry: Entry; rank: number }[] = [];
  const path: { entry: Entry; rank: number }[] = [];
  for (const { entry, rank } of sorted) {
    if (turn.isOver()) await nextTurn();
    while (path.length > 0 && !isBelow(entry.key, path.at(-1)!.entry.key)) path.pop();
    if (entry.type === "none") continue;
    // Ranks only grow on the way up: the first that is high enough proves those above it.
    for (let i = path.length - 1; i >= 0 && path[i]!.rank < rank; i--) path[i]!.rank = rank;
    const known = path.at(-1)?.entry.key.length ?? 0;
    for (
      let separator = entry.key.indexOf(0, known + 1);
      separator >= 0;
      separator = entry.key.indexOf(0, separator + 1)
    ) {
      const directory = { entry: directoryAt(entry.key.subarray(0, separator), entry), rank };
      directories.push(directory);
      path.push(directory);
    }
  }
  return directories;
}

function directoryAt(key: Buffer, { modifiedMicros, commit }: Entry): Entry {
  assert(key.length > 0 && key.at(-1) !== 0, "no name in a path is empty");
  return {
    key,
    type: "dir",
    reset: false,
    clear: false,
    content: emptyContent,
    modifiedMicros,
    commit,
  };
}
