import { nextTurn, Turn } from "../../base/next-turn.ts";
import type { Entry } from "../tree/entry.ts";
import { isBelow } from "../tree/key-range.ts";

/**
 * Entries in order of their keys, with the directories on the way to each: the delta in normal form of writes
 * that all add a file, each at a path of its own. Undefined when there are others among them, or a path is file
 * and directory.
 *
 * @param directoryAt the directory at a key, as made by the write of an entry below it
 */
export async function plainRun(
  sorted: readonly Entry[],
  directoryAt: (key: Buffer, below: Entry) => Entry,
): Promise<Entry[] | undefined> {
  const run: Entry[] = [];
  /** The directories of the last entry. */
  const path: Buffer[] = [];
  const turn = new Turn();
  let previous: Buffer | undefined;
  for (const entry of sorted) {
    if (turn.isOver()) await nextTurn();
    const { key } = entry;
    if (entry.type !== "file" || entry.clear) return undefined;
    if (previous !== undefined && (previous.equals(key) || isBelow(key, previous)))
      return undefined;
    while (path.length > 0 && !isBelow(key, path.at(-1)!)) path.pop();
    const known = path.at(-1)?.length ?? 0;
    for (let end = key.indexOf(0, known + 1); end >= 0; end = key.indexOf(0, end + 1)) {
      const directory = directoryAt(key.subarray(0, end), entry);
      run.push(directory);
      path.push(directory.key);
    }
    run.push(entry);
    previous = key;
  }
  return run;
}
