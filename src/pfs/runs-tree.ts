import { keyOfPath } from "../model/paths.ts";
import {
  buildTree,
  emptyContent,
  foldDeltas,
  openMemNodes,
  overlayNodes,
  type Entry,
} from "../storage/index.ts";
import type { RootView } from "./open-roots.ts";
import { runEntries } from "./run-entries.ts";
import type { PfsDeps } from "./pfs-deps.ts";

/** Digits of a task's number in a path: numbers sort as names do. */
const digits = 7;

/**
 * What the tasks of a job's first stage have written, by file and then by task: `00003/0000017` is what task 17
 * wrote to `00003`. In memory: a few hundred bytes a file.
 */
export async function runsTree(deps: PfsDeps, jobId: string): Promise<RootView> {
  const { nodes } = deps.storage;
  const outputs = await deps.metadata.call("stageOutputs", { jobId });
  const deltas = outputs.map((output, task) => movedBelow(runEntries(output, nodes), task));
  const mem = openMemNodes();
  const overlay = overlayNodes(mem, nodes);
  const root = await buildTree(foldDeltas(deltas, "squash", overlay, mem), mem);
  return { root, nodes: overlay };
}

async function* movedBelow(
  delta: AsyncIterable<Entry> | Iterable<Entry>,
  task: number,
): AsyncGenerator<Entry, void, void> {
  const name = keyOfPath(`/${String(task).padStart(digits, "0")}`);
  for await (const entry of delta) {
    if (entry.type !== "file") continue;
    yield { ...entry, type: "dir", content: emptyContent, reset: false };
    yield { ...entry, key: Buffer.concat([entry.key, name]) };
  }
}
