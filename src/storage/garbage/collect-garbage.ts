import { CodedError, isCoded } from "../../base/errors.ts";
import { randomBelow, randomHex } from "../../base/random.ts";
import type { GarbageReport } from "../../model/garbage.ts";
import { readFooter } from "../chunk-index.ts";
import { packKey } from "../pack-format.ts";
import type { Session } from "../session.ts";
import type { NodeSource } from "../tree/entry.ts";
import { Marks, type MarksDeps } from "./marks.ts";
import { findOrphans, type Orphan } from "./orphans.ts";
import { rewritePack, type RewriteDeps } from "./rewrite-pack.ts";
import { takenOver, withRunLease } from "./run-lease.ts";
import { dropLocations, isSparse, sweep, type SweptPack } from "./sweep.ts";
import { weighTrash } from "./trash.ts";

/** Writers on their way are waited for no longer than this: what they might need stays for the next run. */
const waitMsMax = 60_000;
const pollMs = 500;
/** Packs changed in one transaction. */
const perCallMax = 500;
/** Ids of blocks remembered for each chunk that is live, at most. */
const blockIdsPerChunkMax = 2;

export interface GarbageDeps extends Omit<RewriteDeps, "move" | "session"> {
  readonly session: Session;
  readonly nodes: NodeSource;
  /** Makes this daemon's own session tell what it knows. */
  readonly renewSession: () => Promise<void>;
  /** Brings the chunk index up to date. */
  readonly indexPending: (signal: AbortSignal) => Promise<void>;
  /** The same, once what is inline has been moved into packs. */
  readonly settle: (signal: AbortSignal) => Promise<void>;
}

/**
 * Removes what nothing refers to, beside writers, readers and other daemons.
 *
 * 1. Mark what is referred to; count it in each pack; copy the rest out of packs mostly unused.
 * 2. Condemn packs without any: dedup ignores them, naming one brings it back.
 * 3. Raise the epoch and wait for writers that began before it; those not waited for are refused.
 * 4. Mark again what is new, pardon what it needs, delete the others.
 *
 * All state is in the rows of packs: a run that breaks off is finished by the next.
 *
 * @throws CodedError `failed_precondition` while another run goes on; `data_loss` when something that
 *   is referred to cannot be read: then nothing is taken for garbage
 */
export async function collectGarbage(
  deps: GarbageDeps,
  options: { isDryRun: boolean },
  signal: AbortSignal,
): Promise<GarbageReport> {
  if (options.isDryRun) return await planGarbage(deps, signal);
  const token = randomHex(deps.random);
  if (!(await deps.metadata.call("beginGarbageRun", { token })))
    throw new CodedError(
      "failed_precondition",
      "Cannot collect garbage: another run goes on. Wait until it has ended",
    );
  let isDone = false;
  const leave = deps.session.enter();
  try {
    const report = await withRunLease(deps, token, signal, (held) =>
      new GarbageRun(token, leave, deps, held).run(),
    );
    isDone = true;
    return report;
  } finally {
    leave();
    await deps.metadata.call("endGarbageRun", { token, isDone }).catch(() => undefined);
  }
}

/** What a run would do now. */
async function planGarbage(deps: GarbageDeps, signal: AbortSignal): Promise<GarbageReport> {
  // A pack that is not indexed has nothing found in it, and stays.
  await deps.indexPending(signal);
  const { marks, marksDeps, lastPack } = await markAll(deps, async () => undefined, signal);
  const packs = await sweep(marks, marksDeps);
  const orphans = await findOrphans(deps, signal);
  const { dead, lost, condemned, sparse } = verdictOf(packs, lastPack);
  const removed = [...dead, ...lost, ...condemned.filter(({ liveChunks }) => liveChunks === 0)];
  return {
    isDryRun: true,
    repos: await weighTrash(marks, marksDeps),
    removedPacks: removed.length + orphans.length,
    removedBytes: bytesOf(removed) + bytesOf(orphans),
    rewrittenPacks: sparse.length,
    rewrittenBytes: bytesOf(sparse),
    keptBackBytes: 0,
    keptBytes: bytesOf(packs.filter(isThere)) - bytesOf(removed),
  };
}

class GarbageRun {
  private readonly token: string;
  /** Ends this run's own stay among the writers, which it would wait for itself. */
  private readonly leave: () => void;
  private readonly deps: GarbageDeps;
  private readonly signal: AbortSignal;

  constructor(token: string, leave: () => void, deps: GarbageDeps, signal: AbortSignal) {
    this.token = token;
    this.leave = leave;
    this.deps = deps;
    this.signal = signal;
  }

  async run(): Promise<GarbageReport> {
    const { deps, signal, token } = this;
    await deps.settle(signal).catch((error: unknown) => {
      // On a full disk nothing can be moved: what is in packs already may make room.
      if (!isCoded(error, "resource_exhausted")) throw error;
      deps.log.warn({ err: error }, "garbage is collected without moving small chunks into packs");
    });
    const trash = await deps.metadata.call("trashIds", {});
    const { marks, marksDeps, lastPack } = await markAll(deps, this.keepOn, signal);
    const repos = await weighTrash(marks, marksDeps);
    const packs = await sweep(marks, marksDeps, { dropDangling: true });
    const { dead, lost, condemned, sparse } = verdictOf(packs, lastPack);
    const { rewritten, copiedBytes } = await this.rewrite(sparse, marks);
    const condemnedNow = await this.condemn([...dead, ...rewritten]);
    // Nobody relies on a lost one, nor may begin to.
    const candidates = [...condemned, ...condemnedNow, ...lost];
    const orphans = await findOrphans(deps, signal);
    this.leave();
    const epoch = await deps.metadata.call("raiseEpoch", { token });
    const oldest = await this.waitForWriters(epoch);
    const { removed, pardoned } = await this.remove(
      candidates.filter((pack) => pack.epoch < oldest),
      { marks, marksDeps, oldest },
    );
    const isQuiet = oldest >= epoch;
    const unrecorded = isQuiet ? await this.removeOrphans(orphans) : [];
    await this.forget(packs, oldest);
    if (isQuiet)
      for (const ids of slices(trash)) await deps.metadata.call("emptyTrash", { token, ids });
    const gone = new Set([...removed, ...pardoned].map(({ number }) => number));
    const emptied = new Set(rewritten.map(({ number }) => number));
    const dropped = removed.filter(({ number }) => !emptied.has(number));
    return {
      isDryRun: false,
      repos,
      removedPacks: dropped.length + unrecorded.length,
      removedBytes: bytesOf(dropped) + bytesOf(unrecorded),
      rewrittenPacks: rewritten.length,
      rewrittenBytes: bytesOf(rewritten),
      keptBackBytes: bytesOf(candidates.filter(({ number }) => !gone.has(number))),
      keptBytes: bytesOf(packs.filter(isThere)) + copiedBytes - bytesOf(removed),
    };
  }

  private readonly keepOn = async (): Promise<void> => {
    if (await this.deps.metadata.call("beginGarbageRun", { token: this.token })) return;
    throw takenOver();
  };

  /** Gives back the packs that are now empty. One that cannot be read is left as it is. */
  private async rewrite(
    sparse: readonly SweptPack[],
    marks: Marks,
  ): Promise<{ rewritten: SweptPack[]; copiedBytes: number }> {
    const { deps, token, signal } = this;
    const rewritten: SweptPack[] = [];
    let copiedBytes = 0;
    const move: RewriteDeps["move"] = async (moved) => {
      await deps.metadata.call("moveChunks", { token, ...moved });
    };
    for (const pack of sparse) {
      signal.throwIfAborted();
      await this.keepOn();
      try {
        copiedBytes += await rewritePack(
          pack,
          (hash) => marks.has(hash),
          { ...deps, move },
          signal,
        );
        rewritten.push(pack);
      } catch (error) {
        if (!isCoded(error, "data_loss") && !isCoded(error, "not_found")) throw error;
        deps.log.warn({ err: error, pack: pack.id }, "a pack cannot be rewritten");
      }
    }
    return { rewritten, copiedBytes };
  }

  private async condemn(packs: readonly SweptPack[]): Promise<SweptPack[]> {
    const { deps, token } = this;
    const condemned: SweptPack[] = [];
    for (const some of slices(packs)) {
      const numbers = some.map(({ number }) => number);
      const epoch = await deps.metadata.call("condemnPacks", { token, numbers });
      condemned.push(...some.map((pack) => ({ ...pack, state: "condemned" as const, epoch })));
    }
    return condemned;
  }

  /** Gives back the epoch of the oldest writer still on its way, at best the one waited for. */
  private async waitForWriters(epoch: number): Promise<number> {
    const { deps, signal } = this;
    const deadlineMs = deps.clock.monotonicMs() + waitMsMax;
    for (;;) {
      await deps.renewSession();
      const oldest = Math.min(epoch, await deps.metadata.call("oldestEpoch", {}));
      if (oldest === epoch || deps.clock.monotonicMs() >= deadlineMs) return oldest;
      await deps.clock.sleep(pollMs, signal);
      await this.keepOn();
    }
  }

  private async remove(
    candidates: readonly SweptPack[],
    { marks, marksDeps, oldest }: { marks: Marks; marksDeps: MarksDeps; oldest: number },
  ): Promise<{ removed: SweptPack[]; pardoned: SweptPack[] }> {
    const { deps, token } = this;
    if (candidates.length === 0) return { removed: [], pardoned: [] };
    await marks.markAll();
    // Counted anew even when nothing was: a pack of an earlier run was condemned by other marks.
    const live = new Set<number>();
    for (const { number, liveChunks } of await sweep(marks, marksDeps))
      if (liveChunks > 0) live.add(number);
    const pardoned = candidates.filter(({ number }) => live.has(number));
    for (const some of slices(pardoned)) {
      const numbers = some.map(({ number }) => number);
      await deps.metadata.call("pardonPacks", { token, numbers });
    }
    const removed: SweptPack[] = [];
    for (const state of ["condemned", "lost"] as const) {
      const dead = candidates.filter((pack) => pack.state === state && !live.has(pack.number));
      for (const some of slices(dead))
        removed.push(...(await this.removePacks(some, state, oldest)));
    }
    return { removed, pardoned };
  }

  /** Gives back those that were still in that state. */
  private async removePacks(
    packs: readonly SweptPack[],
    state: "condemned" | "lost",
    oldest: number,
  ): Promise<SweptPack[]> {
    const { deps, token } = this;
    const numbers = packs.map(({ number }) => number);
    const ids = new Set(await deps.metadata.call("deletePacks", { token, numbers, state, oldest }));
    const removed = packs.filter(({ id }) => ids.has(id));
    for (const pack of removed) {
      this.signal.throwIfAborted();
      await this.removePack(pack);
    }
    return removed;
  }

  private async removePack(pack: SweptPack): Promise<void> {
    const { deps, signal } = this;
    // Rows of one whose footer cannot be read are dropped by the next run's sweep.
    const rows = await readFooter(deps.objects, pack, signal).catch((error: unknown) => {
      if (isCoded(error, "data_loss") || isCoded(error, "not_found")) return [];
      throw error;
    });
    const dropped = rows.map(({ hash }) => ({ hash, pack: pack.number }));
    await dropLocations(deps.metadata, dropped);
    await deps.objects.remove(packKey(pack.id), { signal });
  }

  private async removeOrphans(orphans: readonly Orphan[]): Promise<Orphan[]> {
    const { deps, token, signal } = this;
    const removed: Orphan[] = [];
    for (const some of slices(orphans)) {
      const ids = some.map(({ id }) => id);
      const gone = new Set(await deps.metadata.call("deleteUnknown", { token, ids }));
      for (const orphan of some) {
        if (!gone.has(orphan.id)) continue;
        signal.throwIfAborted();
        await deps.objects.remove(packKey(orphan.id), { signal });
        removed.push(orphan);
      }
    }
    return removed;
  }

  /**
   * Rows of packs deleted by earlier runs, whose objects are removed once more: one may have broken off.
   * Ids of blocks that are no more go too.
   */
  private async forget(packs: readonly SweptPack[], epoch: number): Promise<void> {
    const { deps, token, signal } = this;
    const deleted = packs.filter((pack) => pack.state === "deleted" && pack.epoch < epoch);
    for (const some of slices(deleted)) {
      for (const { id } of some) {
        signal.throwIfAborted();
        await deps.objects.remove(packKey(id), { signal });
      }
      const numbers = some.map(({ number }) => number);
      await deps.metadata.call("forgetDeleted", { token, numbers, epoch });
    }
    const chunks = packs.reduce((sum, { liveChunks }) => sum + liveChunks, 0);
    await deps.metadata.call("forgetBlockIds", { countMax: chunks * blockIdsPerChunkMax });
  }
}

async function markAll(
  deps: GarbageDeps,
  keepOn: () => Promise<void>,
  signal: AbortSignal,
): Promise<{ marks: Marks; marksDeps: MarksDeps; lastPack: number }> {
  const { metadata, nodes } = deps;
  const marksDeps = { metadata, nodes, keepOn, signal };
  const { chunks, lastPack } = await metadata.call("countChunks", {});
  const marks = new Marks(chunks, randomBelow(deps.random, 2 ** 32), marksDeps);
  await marks.markAll();
  return { marks, marksDeps, lastPack };
}

interface Verdict {
  /** Nothing in them is referred to. */
  readonly dead: SweptPack[];
  /** The same, of packs that are missing or damaged. */
  readonly lost: SweptPack[];
  /** To be copied first. */
  readonly sparse: SweptPack[];
  /** By an earlier run. */
  readonly condemned: SweptPack[];
}

/** What is to go, of packs recorded before anything was marked. */
function verdictOf(packs: readonly SweptPack[], lastPack: number): Verdict {
  const known = packs.filter(({ number, indexed }) => number <= lastPack && indexed === 1);
  const live = known.filter(({ state }) => state === "live");
  return {
    dead: live.filter(({ liveChunks }) => liveChunks === 0),
    lost: known.filter(({ state, liveChunks }) => state === "lost" && liveChunks === 0),
    sparse: live.filter((pack) => pack.liveChunks > 0 && isSparse(pack)),
    condemned: packs.filter(({ state }) => state === "condemned"),
  };
}

function isThere({ state }: SweptPack): boolean {
  return state !== "deleted";
}

function bytesOf(objects: readonly { readonly bytes: number }[]): number {
  return objects.reduce((sum, { bytes }) => sum + bytes, 0);
}

function* slices<T>(items: readonly T[]): Generator<T[], void, void> {
  for (let at = 0; at < items.length; at += perCallMax) yield items.slice(at, at + perCallMax);
}
