import { TreeBuilder, type Entry, type Ingest, type TreeRef } from "../storage/index.ts";

/** The root that comes of nothing by a delta in normal form: what applyDelta() makes of the empty tree, without waiting for each entry. */
export async function firstRoot(
  delta: AsyncIterable<readonly Entry[]>,
  nodes: Ingest["nodes"],
): Promise<TreeRef> {
  const builder = new TreeBuilder(nodes);
  for await (const entries of delta)
    await builder.add(entries.filter(({ type }) => type !== "none").map(withoutMarks));
  return await builder.finish();
}

function withoutMarks(entry: Entry): Entry {
  return entry.reset || entry.clear ? { ...entry, reset: false, clear: false } : entry;
}
