import { ahead } from "../base/ahead.ts";
import { keyRulesOf, type MapReduce } from "../model/map-reduce.ts";
import type { WorkRange } from "../model/stage-work.ts";
import { openView, type PfsDeps, type ViewSpec } from "../pfs/index.ts";
import { boundariesOf, readRunIndex, type RunIndex, type RunSource } from "../shuffle/index.ts";

/** Indexes fetched at a time. */
const fetchedMax = 16;

/** Keys (Base64) at which the partitions after the first begin, as the indexes of all runs tell. */
export async function planRanges(
  pfs: PfsDeps,
  { runs, spec }: { runs: ViewSpec; spec: MapReduce },
  signal: AbortSignal,
): Promise<string[]> {
  const view = await openView(pfs, runs);
  const sources: RunSource[] = [];
  for await (const file of view.below("")) {
    if (file.entry.type !== "file") continue;
    sources.push({
      name: file.path,
      bytes: file.bytes,
      read: (start, end) => view.read(file, { start, end }, signal),
    });
  }
  const indexes: RunIndex[] = [];
  const begin = (source: RunSource): { value: Promise<RunIndex>; bytes: number } => {
    const value = readRunIndex(source, signal);
    // Awaited in its turn.
    value.catch(() => undefined);
    return { value, bytes: 0 };
  };
  for await (const index of ahead(sources, begin, { countMax: fetchedMax, bytesMax: 1 }))
    indexes.push(index);
  const keys = boundariesOf(indexes, spec.partitions, keyRulesOf(spec));
  return keys.map((key) => Buffer.from(key).toString("base64"));
}

/** What a partition by range reads. */
export function rangeOf(boundaries: readonly string[], partition: number): WorkRange {
  if (partition > boundaries.length) return { isEmpty: true };
  const [from, to] = [boundaries[partition - 1], boundaries[partition]];
  return { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
}
