import { dirname } from "node:path";
import { hasErrno } from "./errno.ts";
import type { FileSystem } from "./file-system.ts";
import { unlessStale } from "./unless-stale.ts";

/**
 * Folders at or below `root` that survive loss of power. A folder is trusted only once this process
 * has synced its parent: finding it there may mean that somebody else made it a moment ago.
 */
export class DurableFolders {
  private readonly fs: FileSystem;
  private readonly root: string;
  private readonly trusted = new Map<string, Promise<void>>();

  /** `root` is absolute. */
  constructor(fs: FileSystem, root: string) {
    this.fs = fs;
    this.root = root;
  }

  /** Makes `folder`, the root or an absolute path below it, and what is missing above it. */
  async ensure(folder: string): Promise<void> {
    let made = this.trusted.get(folder);
    if (made === undefined) {
      if (this.trusted.size >= trustedMax) this.trusted.clear();
      made = folder === this.root ? this.makeRoot() : this.make(folder);
      this.trusted.set(folder, made);
      made.catch(() => this.trusted.delete(folder));
    }
    await made;
  }

  /** Makes the names in `folder` durable. */
  async sync(folder: string): Promise<void> {
    const handle = await unlessStale(() => this.fs.open(folder, "r"));
    try {
      await handle.sync();
    } catch (thrown) {
      // Some network file systems know no sync of a folder: there a rename is durable by itself.
      if (!hasErrno(thrown, "EINVAL", "ENOTSUP", "EOPNOTSUPP")) throw thrown;
    } finally {
      await handle.close();
    }
  }

  /** Trusts nothing any more: for when a folder may have been taken away. */
  forget(): void {
    this.trusted.clear();
  }

  private async make(folder: string): Promise<void> {
    const parent = dirname(folder);
    await this.ensure(parent);
    await this.fs.mkdir(folder).catch((thrown: unknown) => {
      if (!hasErrno(thrown, "EEXIST")) throw thrown;
    });
    await this.sync(parent);
  }

  private async makeRoot(): Promise<void> {
    const first = await this.fs.mkdir(this.root, { recursive: true });
    if (first === undefined) return;
    for (let made = this.root; made.length >= first.length; made = dirname(made)) {
      await this.sync(dirname(made));
    }
  }
}

const trustedMax = 4_096;
