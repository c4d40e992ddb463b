import type { FileHandle } from "node:fs/promises";
import { join, resolve } from "node:path";
import { assert } from "../../base/assert.ts";
import { DurableFolders } from "../../base/durable-folders.ts";
import { hasErrno } from "../../base/errno.ts";
import { throwIfCancelled } from "../../base/cancelled.ts";
import { CodedError } from "../../base/errors.ts";
import type { FileSystem } from "../../base/file-system.ts";
import { unlessStale } from "../../base/unless-stale.ts";
import { type Random, randomHex } from "../../base/random.ts";
import { checkObjectKey } from "../object-key.ts";
import type { ObjectStat, ObjectStore, ObjectWriter } from "../object-store.ts";
import { fileError } from "./file-errors.ts";
import { LocalWriter } from "./local-writer.ts";
import { OpenFiles, type OpenFile } from "./open-files.ts";

const draftKeptMs = 24 * 3_600 * 1_000;
const draftTriesMax = 3;
/** What a network file system calls a file that was removed while somebody has it open. */
const removedName = /^\.(nfs|fuse_hidden)/;

/** How a store on the local disk is opened. */
export interface LocalObjectStoreOptions {
  /** The store's folder, made when missing. */
  readonly root: string;
  /**
   * Other processes may have it open too: their drafts are left alone until they are a day old. Default:
   * no, all drafts go.
   */
  readonly isShared?: boolean;
  /** `node:fs/promises` in production. */
  readonly fs: FileSystem;
  readonly random: Random;
  /** How many files stay open for reading. Default 64. */
  readonly filesMax?: number;
}

/**
 * Objects as files `<root>/objects/<key>`; drafts in `<root>/tmp`, cleared here. Needs nothing of the
 * file system but rename and fsync, no links and no locks. A key must not be a folder of another.
 *
 * @throws CodedError `permission_denied`, `resource_exhausted`, when the folders cannot be made
 */
export async function openLocalObjectStore(options: LocalObjectStoreOptions): Promise<ObjectStore> {
  const root = resolve(options.root);
  const store = new LocalObjectStore({ ...options, root });
  try {
    await store.prepare();
  } catch (thrown) {
    throw fileError(thrown, { action: "open the object store", key: root, folder: root });
  }
  return store;
}

class LocalObjectStore implements ObjectStore {
  private readonly fs: FileSystem;
  private readonly random: Random;
  private readonly objects: string;
  private readonly drafts: string;
  private readonly folders: DurableFolders;
  private readonly files: OpenFiles;
  private readonly isShared: boolean;
  private closed = false;

  constructor({ root, fs, random, isShared = false, filesMax = 64 }: LocalObjectStoreOptions) {
    this.isShared = isShared;
    this.fs = fs;
    this.random = random;
    this.objects = join(root, "objects");
    this.drafts = join(root, "tmp");
    this.folders = new DurableFolders(fs, root);
    this.files = new OpenFiles(fs, filesMax);
  }

  async prepare(): Promise<void> {
    await this.folders.ensure(this.objects);
    await this.folders.ensure(this.drafts);
    for (const name of await unlessStale(() => this.fs.readdir(this.drafts)))
      await this.clearDraft(join(this.drafts, name));
  }

  private async clearDraft(path: string): Promise<void> {
    try {
      const { mtimeMs } = await this.fs.stat(path);
      // By the clock of the disk itself, which the drafts of all processes share.
      const { mtimeMs: nowMs } = await this.fs.stat(this.drafts);
      if (this.isShared && nowMs - mtimeMs < draftKeptMs) return;
      await this.fs.unlink(path);
    } catch (thrown) {
      // Another process was faster, or has it open.
      if (!hasErrno(thrown, "ENOENT", "EBUSY", "ESTALE")) throw thrown;
    }
  }

  async create(key: string, { signal }: { signal?: AbortSignal }): Promise<ObjectWriter> {
    const target = this.pathOf(key);
    if (this.closed) throw new CodedError("unavailable", "The object store is closed");
    throwIfCancelled(signal);
    const failure = (thrown: unknown): CodedError => {
      // Somebody may have taken a folder away: the next writer makes and syncs them anew.
      this.folders.forget();
      if (hasErrno(thrown, "ENOENT")) {
        return new CodedError(
          "unavailable",
          `Cannot write object "${key}": ${this.drafts} or ${this.objects} has been changed by another program. Try again`,
          { cause: thrown },
        );
      }
      return fileError(thrown, { action: "write object", key, folder: this.objects });
    };
    try {
      await this.folders.ensure(this.drafts);
      const { draft, handle } = await this.openDraft();
      return new LocalWriter({
        fs: this.fs,
        folders: this.folders,
        handle,
        draft,
        target,
        signal,
        failure,
        replaced: () => {
          this.files.forget(target);
        },
      });
    } catch (thrown) {
      throw failure(thrown);
    }
  }

  private async openDraft(): Promise<{ draft: string; handle: FileHandle }> {
    for (let tries = 1; ; tries++) {
      const draft = join(this.drafts, randomHex(this.random));
      try {
        return { draft, handle: await unlessStale(() => this.fs.open(draft, "wx")) };
      } catch (thrown) {
        // A server on the network that is asked twice finds what it made when it was asked first.
        if (tries === draftTriesMax || !hasErrno(thrown, "EEXIST")) throw thrown;
      }
    }
  }

  async read(
    key: string,
    range: { start: number; length: number },
    { signal }: { signal?: AbortSignal },
  ): Promise<Buffer> {
    assert(
      Number.isSafeInteger(range.start) && range.start >= 0,
      "a range starts at a whole number of bytes",
    );
    assert(
      Number.isSafeInteger(range.length) && range.length >= 0,
      "a range has a whole number of bytes",
    );
    const path = this.pathOf(key);
    throwIfCancelled(signal);
    try {
      const bytes = await this.files.use(path, async (file) => await readRange(file, range));
      throwIfCancelled(signal);
      return bytes;
    } catch (thrown) {
      throw fileError(absent(thrown), { action: "read object", key, folder: this.objects });
    }
  }

  async stat(key: string, { signal }: { signal?: AbortSignal }): Promise<ObjectStat> {
    const path = this.pathOf(key);
    throwIfCancelled(signal);
    try {
      const stat = await unlessStale(() => this.fs.stat(path));
      if (!stat.isFile()) throw Object.assign(new Error(`${path} is no file`), { code: "ENOENT" });
      return { key, bytes: stat.size };
    } catch (thrown) {
      throw fileError(absent(thrown), { action: "find object", key, folder: this.objects });
    }
  }

  async *list(prefix: string, { signal }: { signal?: AbortSignal }): AsyncGenerator<ObjectStat> {
    try {
      yield* this.walk("", prefix, signal);
    } catch (thrown) {
      throw fileError(thrown, { action: "list objects", key: prefix, folder: this.objects });
    }
  }

  async remove(key: string, { signal }: { signal?: AbortSignal }): Promise<void> {
    const path = this.pathOf(key);
    throwIfCancelled(signal);
    try {
      await this.fs.unlink(path);
    } catch (thrown) {
      if (hasErrno(absent(thrown), "ENOENT")) return;
      throw fileError(thrown, { action: "remove object", key, folder: this.objects });
    } finally {
      this.files.forget(path);
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    this.files.close();
  }

  private pathOf(key: string): string {
    checkObjectKey(key);
    return join(this.objects, key);
  }

  /** Objects below the folder `above` ("" or ending in "/"), one folder in memory per level. */
  private async *walk(
    above: string,
    prefix: string,
    signal?: AbortSignal,
  ): AsyncGenerator<ObjectStat> {
    throwIfCancelled(signal);
    const found = await this.stats(above, prefix, signal);
    for (const [name, bytes] of [...found].toSorted(([a], [b]) => byBytes(a, b))) {
      throwIfCancelled(signal);
      if (bytes === undefined) yield* this.walk(name, prefix, signal);
      else yield { key: name, bytes };
    }
  }

  /**
   * What a folder has that the prefix allows: a file with its size, a folder, without one, with its slash,
   * which makes the order of names that of keys. Asked name by name: some mounts do not tell types in listings.
   */
  private async stats(
    above: string,
    prefix: string,
    signal?: AbortSignal,
  ): Promise<Map<string, number | undefined>> {
    const found = new Map<string, number | undefined>();
    for (const entry of await unlessStale(() => this.fs.readdir(join(this.objects, above)))) {
      const name = above + entry;
      if (removedName.test(entry)) continue;
      if (!name.startsWith(prefix) && !prefix.startsWith(`${name}/`)) continue;
      throwIfCancelled(signal);
      const stat = await unlessStale(() => this.fs.stat(join(this.objects, name))).catch(
        (thrown: unknown) => {
          if (!hasErrno(thrown, "ENOENT")) throw thrown;
        },
      );
      if (stat?.isDirectory() === true) found.set(`${name}/`, undefined);
      else if (stat !== undefined && name.startsWith(prefix)) found.set(name, stat.size);
    }
    return found;
  }
}

async function readRange(
  file: OpenFile,
  { start, length }: { start: number; length: number },
): Promise<Buffer> {
  const end = Math.min(start + length, file.bytes);
  // Not from the pool: the buffer becomes the caller's, who may transfer it to another thread.
  const bytes = Buffer.allocUnsafeSlow(Math.max(0, end - start));
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await file.handle.read(
      bytes,
      filled,
      bytes.length - filled,
      start + filled,
    );
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

/** A folder, or a file on the way, where an object was looked for: there is no such object. */
function absent(thrown: unknown): unknown {
  if (!hasErrno(thrown, "ENOTDIR", "EISDIR")) return thrown;
  return Object.assign(new Error("There is no such file", { cause: thrown }), { code: "ENOENT" });
}

function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
