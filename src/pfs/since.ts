import type { CommitDetail } from "../metadata/index.ts";
import {
  buildTree,
  decodeTreeRef,
  emptyTree,
  foldDeltas,
  openMemNodes,
  overlayNodes,
  scan,
  type Entry,
} from "../storage/index.ts";
import type { RootView } from "./open-roots.ts";
import { runEntries } from "./run-entries.ts";
import type { PfsDeps } from "./pfs-deps.ts";

type Delta = AsyncIterable<Entry> | Iterable<Entry>;

/**
 * What was written after `fromUid` up to a commit, as one delta: the writes of every commit that the
 * one has and the other has not, oldest first. Between neighbours it is the commit's own delta.
 */
export async function sinceTree(
  deps: PfsDeps,
  detail: CommitDetail,
  fromUid: string,
): Promise<RootView> {
  const nodes = deps.storage.nodes;
  if (detail.parentUid === fromUid && detail.delta !== null)
    return { root: decodeTreeRef(detail.delta), nodes };
  const deltas = await deltasSince(deps, detail, fromUid);
  if (deltas.length === 0) return { root: emptyTree, nodes };
  const mem = openMemNodes();
  const overlay = overlayNodes(mem, nodes);
  const root = await buildTree(foldDeltas(deltas, "sequence", overlay, mem), mem);
  return { root, nodes: overlay };
}

/** Writes of a commit and its ancestors that another commit has not, oldest first. */
export async function deltasSince(
  deps: PfsDeps,
  detail: CommitDetail,
  fromUid: string,
): Promise<Delta[]> {
  const had = new Set(
    (await deps.metadata.call("ancestry", { uid: fromUid })).map((commit) => commit.uid),
  );
  const line = await deps.metadata.call("ancestry", { uid: detail.info.uid });
  const deltas: Delta[] = [];
  for (const commit of line) {
    if (had.has(commit.uid)) break;
    deltas.unshift(...(await writesOf(deps, commit)));
  }
  return deltas;
}

/** What one commit wrote: its delta, or as long as it has none the runs staged in it. */
async function writesOf(
  deps: PfsDeps,
  commit: { readonly uid: string; readonly delta: Buffer | null },
): Promise<Delta[]> {
  if (commit.delta !== null) return [scan(decodeTreeRef(commit.delta), {}, deps.storage.nodes)];
  const runs = await deps.metadata.call("listRuns", { uid: commit.uid, fromSeq: 0 });
  if (runs.length > 0) return runs.map((run) => runEntries(run, deps.storage.nodes));
  // Runs go when the commit finishes, and that may have been a moment ago.
  const { delta } = await deps.metadata.call("commitByUid", { uid: commit.uid });
  return delta === null ? [] : [scan(decodeTreeRef(delta), {}, deps.storage.nodes)];
}
