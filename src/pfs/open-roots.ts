import { present } from "../base/assert.ts";
import { isCoded } from "../base/errors.ts";
import { MiB } from "../base/size.ts";
import { Turns } from "../base/turns.ts";
import type { CommitName } from "../model/commit.ts";
import type { FileType } from "../model/file.ts";
import type { CommitDetail, MetadataStore, StagedRun } from "../metadata/index.ts";
import {
  applyDelta,
  decodeTreeRef,
  emptyTree,
  finder,
  foldDeltas,
  openMemNodes,
  overlayNodes,
  type NodeSource,
  type Storage,
  type TreeRef,
} from "../storage/index.ts";
import { runEntries } from "./run-entries.ts";
import { StagedTypes } from "./staged-types.ts";
import { writtenPaths, type WrittenPaths } from "./written-paths.ts";

/** A root together with where its nodes are. */
export interface RootView {
  readonly root: TreeRef;
  readonly nodes: NodeSource;
}

interface OpenRoot {
  /** What the root was built on: the root of the parent, as it was then. */
  readonly basis: string;
  nextSeq: number;
  root: TreeRef;
  readonly mem: ReturnType<typeof openMemNodes>;
  /** Bytes in `mem` when it was built: what is more has been replaced since, mostly. */
  readonly builtBytes: number;
}

/** Roots kept, as long as their nodes are not more than this together. */
const keptMax = 256;
const keptBytesMax = 64 * MiB;
/** A root is built anew once this much, and twice its own size, has been replaced. */
const replacedBytesMax = 4 * MiB;

/**
 * Roots of commits that are not finished: the parent's root with the staged runs applied, in memory.
 * Each new run is applied to the root kept from before, so a put beside many others costs its own size.
 */
export class OpenRoots {
  readonly metadata: MetadataStore;
  readonly storage: Storage;
  private readonly kept = new Map<string, { readonly open: OpenRoot; readonly bytes: number }>();
  /** Of the nodes of all roots kept, as they were when each was last used. */
  private keptBytes = 0;
  private readonly turns = new Turns();
  private readonly stagedTypes: StagedTypes;

  constructor(deps: { metadata: MetadataStore; storage: Storage }) {
    this.metadata = deps.metadata;
    this.storage = deps.storage;
    this.stagedTypes = new StagedTypes(deps.metadata);
  }

  /** The root of any commit, as of now. */
  async rootOf(detail: CommitDetail): Promise<RootView> {
    if (detail.root !== null)
      return { root: decodeTreeRef(detail.root), nodes: this.storage.nodes };
    // One at a time per commit: two readers must not apply the same runs to one root.
    return await this.turns.take(detail.info.uid, () => this.refresh(detail));
  }

  /** Tells of keys whether a commit, as of now, has a file or a directory there. Quick for keys in order. */
  async typesIn(detail: CommitDetail): Promise<(key: Buffer) => Promise<FileType | undefined>> {
    const staged = detail.root === null ? await this.stagedTypes.of(detail) : undefined;
    const { root, nodes } = await (staged === undefined
      ? this.rootOf(detail)
      : this.parentRoot(detail));
    const find = root.count === 0 ? undefined : finder(root, nodes);
    return async (key) => {
      const known = staged?.get(key.toString("latin1"));
      if (known !== undefined || find === undefined) return known;
      const type = (await find(key))?.type;
      return type === "none" ? undefined : type;
    };
  }

  /** What was written to an open commit since a moment: see writtenPaths(). */
  async writtenPaths(request: { commit: CommitName; after?: number }): Promise<WrittenPaths> {
    return await writtenPaths(this, request);
  }

  /** Takes note of a run that was staged from here. */
  noteStaged(uid: string, run: StagedRun): void {
    this.stagedTypes.note(uid, run);
  }

  private async refresh(detail: CommitDetail): Promise<RootView> {
    const uid = detail.info.uid;
    const base = await this.parentRoot(detail);
    const basis = base.root.address.toString("hex");
    const known = this.kept.get(uid)?.open;
    const fromSeq = known?.basis === basis ? known.nextSeq : 0;
    if (detail.nextSeq <= 1) return base;
    const isKnown = detail.nextSeq <= fromSeq;
    const runs = isKnown ? [] : await this.metadata.call("listRuns", { uid, fromSeq });
    const lastSeq = runs.at(-1)?.seq ?? fromSeq - 1;
    if (lastSeq < detail.nextSeq - 1) return await this.rootOfEnded(uid);
    const open =
      (known?.basis === basis ? await this.extended(known, base, runs) : undefined) ??
      (await this.built(uid, base));
    this.keep(uid, open);
    return { root: open.root, nodes: overlayNodes(open.mem, base.nodes) };
  }

  private async parentRoot(detail: CommitDetail): Promise<RootView> {
    if (detail.parentRoot !== null)
      return { root: decodeTreeRef(detail.parentRoot), nodes: this.storage.nodes };
    if (detail.parentUid === null) return { root: emptyTree, nodes: this.storage.nodes };
    try {
      return await this.rootOf(await this.metadata.call("commitByUid", { uid: detail.parentUid }));
    } catch (error) {
      if (!isCoded(error, "not_found")) throw error;
      // A parent that was put as a whole may have been taken back: then there is another.
      const again = await this.metadata.call("commitByUid", { uid: detail.info.uid });
      if (again.parentUid === detail.parentUid) throw error;
      return await this.parentRoot(again);
    }
  }

  /** A kept root with more runs applied; undefined when it is better built anew. */
  private async extended(
    open: OpenRoot,
    base: RootView,
    runs: readonly StagedRun[],
  ): Promise<OpenRoot | undefined> {
    const replaced = open.mem.bytes - open.builtBytes;
    if (replaced > Math.max(replacedBytesMax, 2 * open.builtBytes)) return undefined;
    const nodes = overlayNodes(open.mem, base.nodes);
    try {
      const [first, ...others] = runs.map((run) => runEntries(run, this.storage.nodes));
      if (first !== undefined) {
        // Each time a delta is applied, nodes are rewritten: of many small ones mostly the same.
        const delta =
          others.length === 0 ? first : foldDeltas([first, ...others], "sequence", nodes, open.mem);
        open.root = await applyDelta(open.root, delta, nodes, open.mem);
        open.nextSeq = runs.at(-1)!.seq + 1;
      }
      return open;
    } catch (error) {
      // A run that conflicts with an earlier one or the parent may have been taken back by a later one.
      if (isCoded(error, "failed_precondition")) return undefined;
      throw error;
    }
  }

  /** The root of all runs at once. */
  private async built(uid: string, base: RootView): Promise<OpenRoot> {
    const runs = await this.metadata.call("listRuns", { uid, fromSeq: 0 });
    const mem = openMemNodes();
    const nodes = overlayNodes(mem, base.nodes);
    const deltas = runs.map((run) => runEntries(run, this.storage.nodes));
    const root = await applyDelta(
      base.root,
      foldDeltas(deltas, "sequence", nodes, mem),
      nodes,
      mem,
    );
    const nextSeq = (runs.at(-1)?.seq ?? -1) + 1;
    return { basis: base.root.address.toString("hex"), nextSeq, root, mem, builtBytes: mem.bytes };
  }

  /** Its staged runs are gone, so it has finished since the caller looked. */
  private async rootOfEnded(uid: string): Promise<RootView> {
    this.forget(uid);
    const { root } = await this.metadata.call("commitByUid", { uid });
    return {
      root: decodeTreeRef(present(root, `root of commit ${uid}, whose runs are gone`)),
      nodes: this.storage.nodes,
    };
  }

  /** Keeps the newest, whatever its size, and as many others as there is room for. */
  private keep(uid: string, open: OpenRoot): void {
    this.forget(uid);
    this.kept.set(uid, { open, bytes: open.mem.bytes });
    this.keptBytes += open.mem.bytes;
    for (const oldest of this.kept.keys()) {
      const hasRoom = this.kept.size <= keptMax && this.keptBytes <= keptBytesMax;
      if (oldest === uid || hasRoom) break;
      this.forget(oldest);
    }
  }

  private forget(uid: string): void {
    this.keptBytes -= this.kept.get(uid)?.bytes ?? 0;
    this.kept.delete(uid);
  }
}
