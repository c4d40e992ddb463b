import type { Entry, NodeSink, NodeSource, TreeRef } from "../tree/entry.ts";
import { concatContents } from "../tree/list.ts";
import { updateTree, type Change } from "../tree/update.ts";
import { typeConflict } from "./type-conflict.ts";

/** More paths do not help the one who reads the message. */
const pathsNamedMax = 5;

/**
 * The root that comes of a parent's root by a delta in normal form: a pure function of both. What the
 * delta appends is appended; directories that exist stay as they are.
 *
 * @throws CodedError `failed_precondition` naming up to five paths that are file in one and directory in the other
 */
export async function applyDelta(
  root: TreeRef,
  delta: AsyncIterable<Entry> | Iterable<Entry>,
  source: NodeSource,
  sink: NodeSink,
): Promise<TreeRef> {
  const conflicts: Buffer[] = [];
  const merge: Merge = (before, entry) => {
    if (entry.type === "none") return before;
    if (before !== undefined && before.type !== entry.type) {
      conflicts.push(entry.key);
      if (conflicts.length === pathsNamedMax) throw typeConflict(conflicts);
      return before;
    }
    if (before !== undefined && entry.type === "dir") return before;
    const standing = { ...entry, reset: false, clear: false };
    // Most entries are new: these are not waited for.
    if (before === undefined || entry.reset) return standing;
    return concatContents(before.content, entry.content, source, sink).then((content) => ({
      ...standing,
      content,
    }));
  };
  const changed = await updateTree(root, changesOf(delta, merge), source, sink);
  if (conflicts.length > 0) throw typeConflict(conflicts);
  return changed;
}

type Merge = (
  before: Entry | undefined,
  entry: Entry,
) => Entry | undefined | Promise<Entry | undefined>;

async function* changesOf(
  delta: AsyncIterable<Entry> | Iterable<Entry>,
  merge: Merge,
): AsyncGenerator<Change> {
  for await (const entry of delta) {
    yield {
      key: entry.key,
      clear: entry.clear,
      merge: (before) => merge(before, entry),
    };
  }
}
