import { constants } from "node:fs";
import { dirname } from "node:path";
import { assert } from "../base/assert.ts";
import { sha256 } from "../base/hash.ts";
import type { Log } from "../base/log.ts";
import { removeTree } from "../base/remove-tree.ts";
import { Semaphore } from "../base/semaphore.ts";
import type { FileCache } from "../filecache/index.ts";
import type { ViewFile, ViewRef, WorkerHost } from "./worker-host.ts";
import type { WorkerFs } from "./worker-options.ts";

/** A view on the worker's disk, read-only. */
export interface HeldView {
  readonly path: string;
  /** Lets it go; it may then be removed. Safe to call again. */
  release(): void;
}

export interface ViewStoreOptions {
  readonly host: WorkerHost;
  readonly filecache: FileCache;
  readonly fs: WorkerFs;
  /** Exists; of this store alone. */
  readonly directory: string;
  /** False when those who are shown a view could write to it. */
  readonly hardLinks: boolean;
  readonly log: Log;
}

interface StoredView {
  readonly path: string;
  users: number;
  /** Settles when it is on disk, or when bringing it failed. */
  readonly ready: Promise<void>;
}

/** Views in no use that are kept for the next task. */
const idleViewsMax = 4;
const fetchesMax = 8;

/**
 * Views as directories, one for all tasks that show the same. Files are clones of the cached file
 * where the file system can, else hard links, else copies.
 */
export class ViewStore {
  private readonly options: ViewStoreOptions;
  /** By digest, least recently used first. */
  private readonly views = new Map<string, StoredView>();
  private made = 0;
  private canClone = true;

  constructor(options: ViewStoreOptions) {
    this.options = options;
  }

  /** The directory of a view, made when it is not there. */
  async hold(view: ViewRef, signal: AbortSignal): Promise<HeldView> {
    for (;;) {
      signal.throwIfAborted();
      const known = this.views.get(view.digest);
      const stored = known ?? this.start(view, signal);
      stored.users++;
      this.views.delete(view.digest);
      this.views.set(view.digest, stored);
      try {
        await unlessAborted(stored.ready, signal);
        return this.held(stored);
      } catch (error) {
        stored.users--;
        // Another task's failure or end is not ours: whoever waited makes the view again.
        if (known === undefined || signal.aborted) throw error;
      }
    }
  }

  private held(stored: StoredView): HeldView {
    let held = true;
    return {
      path: stored.path,
      release: () => {
        if (!held) return;
        held = false;
        stored.users--;
        void this.removeIdle();
      },
    };
  }

  private start(view: ViewRef, signal: AbortSignal): StoredView {
    const name = `${sha256(Buffer.from(view.digest)).toString("hex", 0, 12)}-${++this.made}`;
    const path = `${this.options.directory}/${name}`;
    const ready = this.bring(view, path, signal);
    const stored = { path, users: 0, ready };
    ready.catch(() => {
      if (this.views.get(view.digest) === stored) this.views.delete(view.digest);
    });
    return stored;
  }

  /** Built aside and renamed, so that a directory with its final name is complete. */
  private async bring(view: ViewRef, path: string, signal: AbortSignal): Promise<void> {
    const { fs } = this.options;
    const building = `${path}.building`;
    try {
      const directories = await this.build(view, building, signal);
      for (const directory of directories) await fs.chmod(directory, 0o555);
      await fs.rename(building, path);
    } catch (error) {
      await removeTree(fs, building);
      throw error;
    }
  }

  /** Returns the directories made; they are still writable. */
  private async build(view: ViewRef, root: string, signal: AbortSignal): Promise<Set<string>> {
    const { fs, host } = this.options;
    const made = new Set<string>();
    const make = async (directory: string): Promise<void> => {
      if (made.has(directory)) return;
      await fs.mkdir(directory, { recursive: true });
      made.add(directory);
    };
    await make(root);
    const fetches = new Semaphore(fetchesMax);
    let failed: { readonly error: unknown } | undefined;
    try {
      for await (const file of host.listView(view, signal)) {
        if (failed !== undefined) break;
        assert(!file.path.split("/").includes(".."), `a view has no path "${file.path}"`);
        const target = `${root}/${file.path}`;
        await make(file.type === "dir" ? target : dirname(target));
        if (file.type === "dir") continue;
        const done = await fetches.acquire(1, signal);
        this.place(view, file, target, signal)
          .catch((error: unknown) => (failed ??= { error }))
          .finally(done);
      }
    } finally {
      await fetches.acquire(fetchesMax);
    }
    if (failed !== undefined) throw failed.error;
    return made;
  }

  private async place(
    view: ViewRef,
    file: ViewFile,
    target: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { filecache, host } = this.options;
    const cached = await filecache.use(file, () => host.readFile(view, file.path, signal), signal);
    try {
      await this.cloneLinkOrCopy(cached.path, target);
    } finally {
      cached.release();
    }
  }

  private async cloneLinkOrCopy(from: string, to: string): Promise<void> {
    const { fs } = this.options;
    if (this.canClone) {
      try {
        await fs.copyFile(from, to, constants.COPYFILE_FICLONE_FORCE);
        await fs.chmod(to, 0o444);
        return;
      } catch {
        this.canClone = false;
      }
    }
    if (this.options.hardLinks) {
      try {
        await fs.link(from, to);
        return;
      } catch {
        // Another file system, or too many links to one file: a copy does.
        await fs.rm(to, { force: true });
      }
    }
    await fs.copyFile(from, to);
    await fs.chmod(to, 0o444);
  }

  private async removeIdle(): Promise<void> {
    const idle = [...this.views].filter(([, stored]) => stored.users === 0);
    const removed = idle.slice(0, Math.max(0, idle.length - idleViewsMax));
    // All at once, before anything waits: nobody may hold them any more, and those made anew stay.
    for (const [digest] of removed) this.views.delete(digest);
    for (const [, stored] of removed) {
      await removeTree(this.options.fs, stored.path).catch((error: Error) => {
        this.options.log.warn(
          { path: stored.path, error: error.message },
          "Cannot remove a view no longer used",
        );
      });
    }
  }
}

/** Waits for a promise, at most until the signal fires. */
async function unlessAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  const stopped = Promise.withResolvers<never>();
  const stop = (): void => stopped.reject(signal.reason as Error);
  signal.addEventListener("abort", stop, { once: true });
  try {
    await Promise.race([promise, stopped.promise]);
    signal.throwIfAborted();
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
