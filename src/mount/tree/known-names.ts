import type { Clock } from "../../base/clock.ts";
import type { FolderNode } from "./node.ts";
import { liveMs } from "./tree.ts";

/** Names of one directory: of more, only some are looked up at a time. */
export const namesMax = 10_000;
/** So many names that are not there, within a second, and all names are asked for at once. */
const missesMax = 8;
/** A directory that has too many names is not asked for them again for so long. */
const largeMs = 60_000;

interface Misses {
  readonly sinceMs: number;
  count: number;
}

/**
 * Names of directories of open commits in which many files are being made: each is looked up first, and a
 * kernel does that one after the other. What is known is a second old at most.
 */
export class KnownNames {
  private readonly clock: Clock;
  private readonly known = new WeakMap<FolderNode, { names: Set<string>; atMs: number }>();
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

  /** Takes note of a name that is not there. True when it is time to bring all names. */
  isWorthBringing(folder: FolderNode): boolean {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - (this.large.get(folder) ?? -Infinity) < largeMs) return false;
    // Where many were missing a second ago, it goes on.
    const known = this.known.get(folder);
    if (known !== undefined && nowMs - known.atMs < 2 * liveMs) return true;
    const misses = this.misses.get(folder);
    if (misses === undefined || nowMs - misses.sinceMs > liveMs) {
      this.misses.set(folder, { sinceMs: nowMs, count: 1 });
      return false;
    }
    return ++misses.count >= missesMax;
  }

  /** All names, as of `atMs`; undefined when there are too many. */
  bring(folder: FolderNode, names: Set<string> | undefined, atMs: number): void {
    this.misses.delete(folder);
    if (names === undefined) {
      this.known.delete(folder);
      this.large.set(folder, atMs);
    } else this.known.set(folder, { names, atMs });
  }

  /** Takes note of a name that was made here. */
  add(folder: FolderNode, name: string): void {
    this.known.get(folder)?.names.add(name);
  }
}
