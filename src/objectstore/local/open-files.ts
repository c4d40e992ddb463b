import type { FileHandle } from "node:fs/promises";
import { CodedError } from "../../base/errors.ts";
import type { FileSystem } from "../../base/file-system.ts";
import { unlessStale } from "../../base/unless-stale.ts";

/** An object's file, open for reading. Objects never change, so its length is known once. */
export interface OpenFile {
  readonly handle: FileHandle;
  readonly bytes: number;
}

interface Entry {
  readonly opened: Promise<OpenFile>;
  users: number;
  kept: boolean;
}

/** Keeps the files read last open, at most `filesMax` when nobody reads. */
export class OpenFiles {
  private readonly fs: FileSystem;
  private readonly filesMax: number;
  /** Least recently used first. */
  private readonly kept = new Map<string, Entry>();
  private closed = false;

  constructor(fs: FileSystem, filesMax: number) {
    this.fs = fs;
    this.filesMax = filesMax;
  }

  /**
   * Runs `work` on the open file, which stays open meanwhile. A file on a network that its server knows no
   * more, because it was started again, is opened once more.
   */
  async use<T>(path: string, work: (file: OpenFile) => Promise<T>): Promise<T> {
    return await unlessStale(() => this.useOnce(path, work));
  }

  private async useOnce<T>(path: string, work: (file: OpenFile) => Promise<T>): Promise<T> {
    if (this.closed) throw new CodedError("unavailable", "The object store is closed");
    const entry = this.kept.get(path) ?? { opened: this.open(path), users: 0, kept: true };
    this.kept.delete(path);
    this.kept.set(path, entry);
    entry.users++;
    this.dropOldest();
    try {
      return await work(await entry.opened);
    } catch (thrown) {
      // The next reader opens the file again: this handle may be what is wrong.
      if (this.kept.get(path) === entry) this.forget(path);
      throw thrown;
    } finally {
      entry.users--;
      closeIfUnused(entry);
    }
  }

  /** The file at `path` is another one now, or none. Readers in the middle finish with the old one. */
  forget(path: string): void {
    const entry = this.kept.get(path);
    if (entry === undefined) return;
    this.kept.delete(path);
    entry.kept = false;
    closeIfUnused(entry);
  }

  /** Closes what nobody reads; the rest when its reader is done. */
  close(): void {
    this.closed = true;
    for (const path of this.kept.keys()) this.forget(path);
  }

  private async open(path: string): Promise<OpenFile> {
    const handle = await this.fs.open(path, "r");
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) throw Object.assign(new Error(`${path} is no file`), { code: "ENOENT" });
      return { handle, bytes: stat.size };
    } catch (thrown) {
      await handle.close();
      throw thrown;
    }
  }

  private dropOldest(): void {
    for (const path of this.kept.keys()) {
      if (this.kept.size <= this.filesMax) return;
      this.forget(path);
    }
  }
}

function closeIfUnused(entry: Entry): void {
  if (entry.kept || entry.users > 0) return;
  // A file open for reading has nothing to lose: a failed open or close is nobody's news.
  entry.opened.then(({ handle }) => handle.close()).catch(() => undefined);
}
