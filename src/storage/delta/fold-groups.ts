import { assert, present } from "../../base/assert.ts";
import { nextTurn, Turn } from "../../base/next-turn.ts";
import { emptyContent, type Entry, type NodeSink, type NodeSource } from "../tree/entry.ts";
import { isBelow, parentKey } from "../tree/key-range.ts";
import { concatAll } from "../tree/list.ts";
import { newerOf } from "../tree/tree-kind.ts";
import type { KeyGroup, Ranked } from "./merge-sorted.ts";
import { typeConflict } from "./type-conflict.ts";

/**
 * `sequence`: ranks are points in time; a reset drops earlier content, a clear everything earlier at
 * and below its key. `squash`: all happened side by side; contents are joined in order of rank, and a
 * reset or clear of any is one of the result: it replaces what the parent had, not what the others wrote.
 */
export type FoldMode = "sequence" | "squash";

/** What the folding of a key leaves for those below it. */
interface Directory {
  readonly key: Buffer;
  readonly type: Entry["type"];
  /** Greatest rank of a clear here or further up; -1: none. */
  readonly clearRank: number;
}

/**
 * Folds what was said about each key into one entry, in normal form: below a clear nothing is cleared
 * or reset again. One path of directories in memory.
 *
 * @throws CodedError `failed_precondition` when a path is both file and directory
 */
export async function* foldGroups(
  groups: AsyncIterable<KeyGroup> | Iterable<KeyGroup>,
  mode: FoldMode,
  source: NodeSource,
  sink: NodeSink,
): AsyncGenerator<Entry, void, void> {
  const above: Directory[] = [];
  const turn = new Turn();
  for await (const { key, said } of groups) {
    if (turn.isOver()) await nextTurn();
    while (above.length > 0 && !isBelow(key, above.at(-1)!.key)) above.pop();
    const covered = above.at(-1)?.clearRank ?? -1;
    const cleared = said.findLast(({ entry }) => entry.clear)?.rank ?? -1;
    const clearRank = Math.max(covered, cleared);
    const counted = mode === "squash" ? said : said.filter(({ rank }) => rank >= clearRank);
    const type = typeOf(key, counted);
    if (type !== "none") assertInDirectory(key, above);
    above.push({ key, type, clearRank });
    const isCleared = cleared >= 0 && covered < 0;
    if (type === "none" && !isCleared) continue;
    const from =
      mode === "squash"
        ? 0
        : Math.max(
            0,
            counted.findLastIndex(({ entry }) => entry.reset || entry.clear),
          );
    const contents = counted.slice(from).map(({ entry }) => entry.content);
    yield {
      key,
      type,
      reset: type === "file" && clearRank < 0 && counted.some(({ entry }) => entry.reset),
      clear: isCleared,
      content: type === "file" ? await concatAll(contents, source, sink) : emptyContent,
      ...touchedBy(type, counted, mode),
    };
  }
}

function typeOf(key: Buffer, counted: readonly Ranked[]): Entry["type"] {
  let type: Entry["type"] = "none";
  for (const { entry } of counted) {
    if (entry.type === "none" || entry.type === type) continue;
    if (type !== "none") throw typeConflict([key]);
    ({ type } = entry);
  }
  assert(key.length > 0 || type === "none", "the root has no entry of its own");
  return type;
}

/** Deltas name every directory on the way to what they add: a file on that way shows here. */
function assertInDirectory(key: Buffer, above: readonly Directory[]): void {
  const parent = parentKey(key);
  if (parent.length === 0) return;
  const directory = above.at(-1);
  if (directory?.type === "dir" && directory.key.equals(parent)) return;
  const file = above.find(({ type }) => type === "file");
  assert(file !== undefined, "a delta names the directories of what it adds");
  throw typeConflict([file.key]);
}

/** A file was touched by its last write; a directory that is made again stays the one that was made first. */
function touchedBy(
  type: Entry["type"],
  counted: readonly Ranked[],
  mode: FoldMode,
): Pick<Entry, "modifiedMicros" | "commit"> {
  const entries = counted
    .map(({ entry }) => entry)
    .filter((entry) => type === "none" || entry.type === type);
  const first = present(entries[0], "what was said of a key");
  const last = entries.at(-1) ?? first;
  const side = mode === "squash" ? entries.reduce((a, b) => (newerOf(a, b) === a ? a : b)) : last;
  const { modifiedMicros, commit } = type === "dir" ? first : side;
  return { modifiedMicros, commit };
}
