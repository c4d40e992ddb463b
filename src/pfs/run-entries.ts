import type { StagedRun } from "../metadata/index.ts";
import {
  decodeRun,
  decodeTreeRef,
  scan,
  scanRuns,
  type Entry,
  type NodeSource,
} from "../storage/index.ts";

/** The entries of a staged run, in key order. */
export function runEntries(
  run: Pick<StagedRun, "entries" | "root">,
  nodes: NodeSource,
): AsyncIterable<Entry> | Iterable<Entry> {
  if (run.entries !== null) return decodeRun(run.entries);
  return run.root === null ? [] : scan(decodeTreeRef(run.root), {}, nodes);
}

/** The same, many at a time. */
export async function* entriesInTurns(
  run: Pick<StagedRun, "entries" | "root">,
  nodes: NodeSource,
): AsyncGenerator<readonly Entry[], void, void> {
  if (run.entries !== null) yield [...decodeRun(run.entries)];
  else if (run.root !== null) yield* scanRuns(decodeTreeRef(run.root), {}, nodes);
}
