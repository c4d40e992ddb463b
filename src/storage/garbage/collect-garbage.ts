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
import { sweep, type SweptPack } from "./sweep.ts";
import { weighTrash } from "./trash.ts";

/** Writers on their way are waited for no longer than this: what they might need stays for the next run. */
const waitMsMax = 60_000;
const pollMs = 500;
/** Packs, or index rows, changed in one transaction. */
const perCallMax = 500;

export interface GarbageDeps extends Omit<RewriteDeps, "move" | "session"> {
  readonly session: Session;
  readonly nodes: NodeSource;
  /** Makes this daemon's own session tell what it knows. */
  readonly renewSession: () => Promise<void>;
  /** Moves what is inline into packs, and brings the chunk index up to date. */
  readonly settle: (signal: AbortSignal) => Promise<void>;
}

/**
 * Removes what nothing refers to, beside writers, readers and other daemons.
 *
 * 1. Mark what is referred to; count it in each pack; copy the rest out of packs mostly unused.
 * 2. Condemn packs without any: dedup ignores them, naming one brings it back.
 * 3. Raise the epoch and wait for writers that began before it: a courtesy, they would be refused.
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
    const report = await new GarbageRun(token, leave, deps, signal).run();
    isDone = true;
    return report;
  } finally {
    leave();
    await deps.metadata.call("endGarbageRun", { token, isDone }).catch(() => undefined);
  }
}

/** What a run would do now. */
async function planGarbage(deps: GarbageDeps, signal: AbortSignal): Promise<GarbageReport> {
  const { marks, marksDeps, lastPack } = await markAll(deps, async () => undefined, signal);
  const packs = await sweep(marks, marksDeps);
  const orphans = await findOrphans(deps, signal);
  const { dead, sparse } = verdictOf(packs, lastPack);
  const condemned = packs.filter((pack) => pack.state === "condemned" && pack.liveChunks === 0);
  return {
    isDryRun: true,
    repos: await weighTrash(marks, marksDeps),
    removedPacks: dead.length + condemned.length + orphans.length,
    removedBytes: bytesOf(dead) + bytesOf(condemned) + bytesOf(orphans),
    rewrittenPacks: sparse.length,
    rewrittenBytes: bytesOf(sparse),
    keptBackBytes: 0,
    keptBytes: bytesOf(packs.filter(isThere)) - bytesOf(dead) - bytesOf(condemned),
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
    await deps.settle(signal);
    const trash = await this.trashIds();
    const { marks, marksDeps, lastPack } = await markAll(deps, this.keepOn, signal);
    const repos = await weighTrash(marks, marksDeps);
    const packs = await sweep(marks, marksDeps);
    const { dead, sparse } = verdictOf(packs, lastPack);
    const rewritten = await this.rewrite(sparse, marks);
    const fresh = [...dead, ...rewritten].map(({ number }) => number);
    for (const numbers of slices(fresh))
      await deps.metadata.call("condemnPacks", { token, numbers });
    const condemned = [
      ...packs.filter(({ state }) => state === "condemned"),
      ...dead,
      ...rewritten,
    ];
    const orphans = await findOrphans(deps, signal);
    this.leave();
    const epoch = await deps.metadata.call("raiseEpoch", { token });
    const report = {
      isDryRun: false,
      repos,
      rewrittenPacks: rewritten.length,
      rewrittenBytes: bytesOf(rewritten),
    };
    if (!(await this.waitForWriters(epoch))) {
      const kept = bytesOf(packs.filter(isThere));
      return {
        ...report,
        removedPacks: 0,
        removedBytes: 0,
        keptBackBytes: bytesOf(condemned),
        keptBytes: kept,
      };
    }
    const removed = await this.remove(condemned, marks, marksDeps);
    const unrecorded = await this.removeOrphans(orphans);
    await this.forget(packs, epoch);
    for (const ids of slices(trash)) await deps.metadata.call("emptyTrash", { token, ids });
    return {
      ...report,
      removedPacks: removed.length + unrecorded.length,
      removedBytes: bytesOf(removed) + bytesOf(unrecorded),
      keptBackBytes: 0,
      keptBytes: bytesOf(packs.filter(isThere)) - bytesOf(removed),
    };
  }

  private readonly keepOn = async (): Promise<void> => {
    if (await this.deps.metadata.call("beginGarbageRun", { token: this.token })) return;
    throw new CodedError(
      "aborted",
      "Cannot go on collecting garbage: another daemon has taken it over",
    );
  };

  private async trashIds(): Promise<string[]> {
    return await this.deps.metadata.call("trashIds", {});
  }

  /** Gives back the packs that are now empty. One that cannot be read is left as it is. */
  private async rewrite(sparse: readonly SweptPack[], marks: Marks): Promise<SweptPack[]> {
    const { deps, token, signal } = this;
    const rewritten: SweptPack[] = [];
    const move: RewriteDeps["move"] = async (moved) => {
      await deps.metadata.call("moveChunks", { token, ...moved });
    };
    for (const pack of sparse) {
      signal.throwIfAborted();
      await this.keepOn();
      try {
        await rewritePack(pack, (hash) => marks.has(hash), { ...deps, move }, signal);
        rewritten.push(pack);
      } catch (error) {
        if (!isCoded(error, "data_loss") && !isCoded(error, "not_found")) throw error;
        deps.log.warn({ err: error, pack: pack.id }, "a pack cannot be rewritten");
      }
    }
    return rewritten;
  }

  /** False when writers that began before the epoch are still on their way. */
  private async waitForWriters(epoch: number): Promise<boolean> {
    const { deps, signal } = this;
    const deadlineMs = deps.clock.monotonicMs() + waitMsMax;
    for (;;) {
      await deps.renewSession();
      if ((await deps.metadata.call("sessionsBefore", { epoch })) === 0) return true;
      if (deps.clock.monotonicMs() >= deadlineMs) return false;
      await deps.clock.sleep(pollMs, signal);
      await this.keepOn();
    }
  }

  private async remove(
    condemned: readonly SweptPack[],
    marks: Marks,
    marksDeps: MarksDeps,
  ): Promise<SweptPack[]> {
    const { deps, token, signal } = this;
    await marks.markAll();
    // Counted anew even when nothing was: a pack of an earlier run was condemned by other marks.
    const live = new Set(
      (await sweep(marks, marksDeps))
        .filter((pack) => pack.liveChunks > 0)
        .map(({ number }) => number),
    );
    const numbersOf = (packs: readonly SweptPack[]): number[] => packs.map(({ number }) => number);
    const pardoned = condemned.filter(({ number }) => live.has(number));
    for (const numbers of slices(numbersOf(pardoned)))
      await deps.metadata.call("pardonPacks", { token, numbers });
    const removed: SweptPack[] = [];
    for (const packs of slices(condemned.filter(({ number }) => !live.has(number)))) {
      const numbers = numbersOf(packs);
      const ids = new Set(await deps.metadata.call("deletePacks", { token, numbers }));
      for (const pack of packs) {
        if (!ids.has(pack.id)) continue;
        await this.removeObject(pack, signal);
        removed.push(pack);
      }
    }
    return removed;
  }

  private async removeObject(pack: SweptPack, signal: AbortSignal): Promise<void> {
    const { deps } = this;
    // Rows that stay, because the footer cannot be read, lead nowhere and harm nobody.
    const rows = await readFooter(deps.objects, pack, signal).catch((error: unknown) => {
      if (isCoded(error, "data_loss") || isCoded(error, "not_found")) return [];
      throw error;
    });
    await deps.objects.remove(packKey(pack.id), { signal });
    const hashes = rows.map(({ hash }) => hash);
    for (const some of slices(hashes))
      await deps.metadata.call("dropLocations", { pack: pack.number, hashes: some });
  }

  private async removeOrphans(orphans: readonly Orphan[]): Promise<Orphan[]> {
    const { deps, token, signal } = this;
    const removed: Orphan[] = [];
    for (const some of slices(orphans)) {
      const ids = some.map(({ id }) => id);
      const gone = new Set(await deps.metadata.call("deleteUnknown", { token, ids }));
      for (const orphan of some) {
        if (!gone.has(orphan.id)) continue;
        await deps.objects.remove(packKey(orphan.id), { signal });
        removed.push(orphan);
      }
    }
    return removed;
  }

  /** Rows of packs deleted by earlier runs, whose objects are removed once more: one may have broken off. */
  private async forget(packs: readonly SweptPack[], epoch: number): Promise<void> {
    const { deps, token, signal } = this;
    for (const some of slices(packs.filter(({ state }) => state === "deleted"))) {
      for (const { id } of some) await deps.objects.remove(packKey(id), { signal });
      const numbers = some.map(({ number }) => number);
      await deps.metadata.call("forgetDeleted", { token, numbers, epoch });
    }
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

/** What is to go, and what is to be copied first; of packs recorded before anything was marked. */
function verdictOf(
  packs: readonly SweptPack[],
  lastPack: number,
): { dead: SweptPack[]; sparse: SweptPack[] } {
  const live = packs.filter(
    ({ number, state, indexed }) => number <= lastPack && state === "live" && indexed === 1,
  );
  return {
    dead: live.filter(({ liveChunks }) => liveChunks === 0),
    sparse: live.filter(({ liveChunks, chunks }) => liveChunks > 0 && liveChunks * 2 < chunks),
  };
}

function isThere({ state }: SweptPack): boolean {
  return state === "live" || state === "condemned";
}

function bytesOf(objects: readonly { readonly bytes: number }[]): number {
  return objects.reduce((sum, { bytes }) => sum + bytes, 0);
}

function* slices<T>(items: readonly T[]): Generator<T[], void, void> {
  for (let at = 0; at < items.length; at += perCallMax) yield items.slice(at, at + perCallMax);
}
