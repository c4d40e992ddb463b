import type { Entry, NodeSink, NodeSource } from "../tree/entry.ts";
import { foldGroups, type FoldMode } from "./fold-groups.ts";
import { mergeSorted } from "./merge-sorted.ts";

/**
 * Several deltas as one, in normal form: in mode `sequence` what they do one after another, oldest
 * first; in mode `squash` what they do side by side. Contents that grow beyond what an entry holds are
 * written to `sink`. Memory: one entry a delta. Closes the deltas.
 *
 * @throws CodedError `failed_precondition` with `details.path` when a path is both file and directory
 */
export function foldDeltas(
  deltas: readonly (AsyncIterable<Entry> | Iterable<Entry>)[],
  mode: FoldMode,
  source: NodeSource,
  sink: NodeSink,
): AsyncGenerator<Entry, void, void> {
  return foldGroups(mergeSorted(deltas), mode, source, sink);
}
