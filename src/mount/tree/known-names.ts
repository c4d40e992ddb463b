import type { Clock } from "../../base/clock.ts";
import type { FolderNode } from "./node.ts";
import { liveMs } from "./tree.ts";

/** Names of one directory that are listed: of more, only some are looked up at a time. */
export const namesMax = 10_000;
/** Names of all directories together, with those that were made here. */
const heldMax = 200_000;
/** So many names that are not there, within a second, and all names are asked for at once. */
const missesMax = 8;
/** A directory that has too many names is not asked for them again for so long. */
const largeMs = 60_000;
/** Where so long nothing was looked up, what was written meanwhile is not asked for. */
const keptMs = 10_000;

interface Misses {
  readonly sinceMs: number;
  count: number;
}

/** Names of a directory as of a moment, and where to ask on for those that came later. */
interface Known {
  readonly commit: string;
  readonly names: Set<string>;
  readonly next: number;
  readonly atMs: number;
}

/**
 * Names of directories of open commits in which many files are being made: each is looked up first, and a
 * kernel does that one after the other. What is known is a second old at most.
 */
export class KnownNames {
  private readonly clock: Clock;
  /** Least recently asked for first. */
  private readonly known = new Map<FolderNode, Known>();
  private held = 0;
  /** When a directory had too many. */
  private readonly large = new WeakMap<FolderNode, number>();
  private readonly misses = new WeakMap<FolderNode, Misses>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** True when there was no such name within the last second. */
  lack(folder: FolderNode, name: string): boolean {
    const known = this.known.get(folder);
    if (known === undefined || known.names.has(name)) return false;
    return this.clock.monotonicMs() - known.atMs < liveMs;
  }

  /** Where to go on asking what was written to a commit since its names were known; undefined when they are to be listed. */
  nextOf(folder: FolderNode, commit: string): number | undefined {
    const known = this.known.get(folder);
    if (known?.commit !== commit) return undefined;
    return this.clock.monotonicMs() - known.atMs < keptMs ? known.next : undefined;
  }

  /** What is known is older than a second, and not much. */
  isStale(folder: FolderNode): boolean {
    const known = this.known.get(folder);
    if (known === undefined) return false;
    const ageMs = this.clock.monotonicMs() - known.atMs;
    return ageMs >= liveMs && ageMs < keptMs;
  }

  /** Takes note of a name that is not there. True when it is time to bring all names. */
  isWorthBringing(folder: FolderNode): boolean {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - (this.large.get(folder) ?? -Infinity) < largeMs) return false;
    const misses = this.misses.get(folder);
    if (misses === undefined || nowMs - misses.sinceMs > liveMs) {
      this.misses.set(folder, { sinceMs: nowMs, count: 1 });
      return false;
    }
    return ++misses.count >= missesMax;
  }

  /** All names; undefined when there are too many. */
  bring(folder: FolderNode, brought: Known | undefined): void {
    this.misses.delete(folder);
    this.forget(folder);
    if (brought === undefined) this.large.set(folder, this.clock.monotonicMs());
    else this.keep(folder, brought);
  }

  /** Names that may have come since. */
  extend(
    folder: FolderNode,
    names: Iterable<string>,
    { next, atMs }: Pick<Known, "next" | "atMs">,
  ): void {
    const known = this.known.get(folder);
    if (known === undefined) return;
    this.forget(folder);
    for (const name of names) known.names.add(name);
    this.keep(folder, { ...known, next, atMs });
  }

  /** Takes note of a name that was made here. */
  add(folder: FolderNode, name: string): void {
    const names = this.known.get(folder)?.names;
    if (names === undefined || names.has(name)) return;
    names.add(name);
    this.held++;
    this.shrink();
  }

  private keep(folder: FolderNode, known: Known): void {
    this.known.set(folder, known);
    this.held += known.names.size;
    this.shrink();
  }

  private shrink(): void {
    for (const folder of this.known.keys()) {
      if (this.held <= heldMax) return;
      this.forget(folder);
    }
  }

  private forget(folder: FolderNode): void {
    this.held -= this.known.get(folder)?.names.size ?? 0;
    this.known.delete(folder);
  }
}
