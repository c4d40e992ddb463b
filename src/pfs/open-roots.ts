import { present } from "../base/assert.ts";
import { isCoded } from "../base/errors.ts";
import { MiB } from "../base/size.ts";
import type { CommitDetail, MetadataStore, StagedRun } from "../metadata/index.ts";
import {
  applyDelta,
  decodeRun,
  decodeTreeRef,
  emptyTree,
  foldDeltas,
  openMemNodes,
  overlayNodes,
  scan,
  type Entry,
  type MemNodes,
  type NodeSource,
  type Storage,
  type TreeRef,
} from "../storage/index.ts";

/** A root together with where its nodes are. */
export interface RootView {
  readonly root: TreeRef;
  readonly nodes: NodeSource;
}

interface OpenRoot {
  /** What the cached root was built on: the parent's root address and how far the parent had come. */
  readonly basis: string;
  nextSeq: number;
  root: TreeRef;
  readonly mem: MemNodes;
}

const keptMax = 8;
const keptBytesMax = 48 * MiB;

/**
 * Roots of commits that are not finished: the parent's root with the staged runs applied, in memory.
 * Each new run is applied to the root kept from before, so a put beside many others costs its own size.
 */
export class OpenRoots {
  private readonly metadata: MetadataStore;
  private readonly storage: Storage;
  private readonly kept = new Map<string, OpenRoot>();
  private readonly turns = new Map<string, Promise<unknown>>();

  constructor(deps: { metadata: MetadataStore; storage: Storage }) {
    this.metadata = deps.metadata;
    this.storage = deps.storage;
  }

  /** The root of any commit, as of now. */
  async rootOf(detail: CommitDetail): Promise<RootView> {
    if (detail.root !== null)
      return { root: decodeTreeRef(detail.root), nodes: this.storage.nodes };
    const uid = detail.info.uid;
    // One at a time per commit: two readers must not apply the same runs to one root.
    const turn = (this.turns.get(uid) ?? Promise.resolve())
      .catch(() => undefined)
      .then(async () => await this.refresh(detail));
    this.turns.set(uid, turn);
    try {
      return await turn;
    } finally {
      if (this.turns.get(uid) === turn) this.turns.delete(uid);
    }
  }

  private async refresh(detail: CommitDetail): Promise<RootView> {
    const uid = detail.info.uid;
    const parent =
      detail.parentUid === null
        ? undefined
        : await this.metadata.call("commitByUid", { uid: detail.parentUid });
    const base =
      parent === undefined
        ? { root: emptyTree, nodes: this.storage.nodes }
        : await this.rootOf(parent);
    const basis = base.root.address.toString("hex");
    let open = this.kept.get(uid);
    if (open === undefined || open.basis !== basis)
      open = { basis, nextSeq: 0, root: base.root, mem: openMemNodes() };
    const nodes = overlayNodes(open.mem, base.nodes);
    const runs = await this.metadata.call("listRuns", { uid, fromSeq: open.nextSeq });
    const lastSeq = runs.at(-1)?.seq ?? open.nextSeq - 1;
    if (detail.nextSeq > 1 && lastSeq < detail.nextSeq - 1) return await this.rootOfEnded(uid);
    open.root = await this.rootAfter(uid, { open, base, runs, nodes });
    open.nextSeq = lastSeq + 1;
    this.keep(uid, open);
    return { root: open.root, nodes };
  }

  /** The open root with more runs applied. */
  private async rootAfter(
    uid: string,
    {
      open,
      base,
      runs,
      nodes,
    }: { open: OpenRoot; base: RootView; runs: StagedRun[]; nodes: NodeSource },
  ): Promise<TreeRef> {
    try {
      let { root } = open;
      for (const run of runs)
        root = await applyDelta(root, runEntries(run, this.storage.nodes), nodes, open.mem);
      return root;
    } catch (error) {
      if (!isCoded(error, "failed_precondition")) throw error;
      // A run that conflicts with an earlier one or the parent may have been taken back by a later one.
      const all = await this.metadata.call("listRuns", { uid, fromSeq: 0 });
      const deltas = all.map((run) => runEntries(run, this.storage.nodes));
      const folded = foldDeltas(deltas, "sequence", nodes, open.mem);
      return await applyDelta(base.root, folded, nodes, open.mem);
    }
  }

  /** Its staged runs are gone, so it has finished since the caller looked. */
  private async rootOfEnded(uid: string): Promise<RootView> {
    const { root } = await this.metadata.call("commitByUid", { uid });
    return {
      root: decodeTreeRef(present(root, `root of commit ${uid}, whose runs are gone`)),
      nodes: this.storage.nodes,
    };
  }

  private keep(uid: string, open: OpenRoot): void {
    this.kept.delete(uid);
    if (open.mem.bytes > keptBytesMax) return;
    this.kept.set(uid, open);
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= keptMax) break;
      this.kept.delete(oldest);
    }
  }
}

/** The entries of a staged run, in key order. */
export function runEntries(
  run: Pick<StagedRun, "entries" | "root">,
  nodes: NodeSource,
): AsyncIterable<Entry> | Iterable<Entry> {
  if (run.entries !== null) return decodeRun(run.entries);
  return run.root === null ? [] : scan(decodeTreeRef(run.root), {}, nodes);
}
