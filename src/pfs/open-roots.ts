import { MiB } from "../base/size.ts";
import type { CommitDetail, MetadataStore, StagedRun } from "../metadata/index.ts";
import {
  applyDelta,
  decodeRun,
  decodeTreeRef,
  emptyTree,
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
    for (const run of await this.metadata.call("listRuns", { uid, fromSeq: open.nextSeq })) {
      open.root = await applyDelta(open.root, runEntries(run, this.storage.nodes), nodes, open.mem);
      open.nextSeq = run.seq + 1;
    }
    this.keep(uid, open);
    return { root: open.root, nodes };
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
