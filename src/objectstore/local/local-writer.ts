import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { assert } from "../../base/assert.ts";
import type { DurableFolders } from "../../base/durable-folders.ts";
import { hasErrno } from "../../base/errno.ts";
import { type CodedError, codedErrorFrom } from "../../base/errors.ts";
import type { FileSystem } from "../../base/file-system.ts";
import { unlessStale } from "../../base/unless-stale.ts";
import type { ObjectWriter } from "../object-store.ts";

/** What a writer needs; `failure` turns what the file system threw into a CodedError. */
export interface LocalWriterDeps {
  readonly fs: FileSystem;
  readonly folders: DurableFolders;
  readonly handle: FileHandle;
  /** Where the bytes go first. */
  readonly draft: string;
  /** Where the object stands once sealed. */
  readonly target: string;
  readonly signal: AbortSignal | undefined;
  readonly failure: (thrown: unknown) => CodedError;
  /** Called between the rename and its sync. */
  readonly replaced: () => void;
}

/** Writes a draft and renames it into place: never a partial object under a key, on any file system. */
export class LocalWriter implements ObjectWriter {
  private readonly deps: LocalWriterDeps;
  private state: "open" | "sealed" | "aborted" = "open";
  private failed: CodedError | undefined;

  constructor(deps: LocalWriterDeps) {
    this.deps = deps;
  }

  async write(bytes: readonly Uint8Array[]): Promise<void> {
    await this.attempt(async () => {
      await writeAll(this.deps.handle, bytes);
    });
  }

  async seal(): Promise<void> {
    const { folders, handle, target } = this.deps;
    const folder = dirname(target);
    await this.attempt(async () => {
      await folders.ensure(folder);
      await handle.sync();
      const written = await handle.stat();
      await handle.close();
      this.deps.signal?.throwIfAborted();
      await unlessStale(() => this.moveIntoPlace(written));
      this.deps.replaced();
      await folders.sync(folder);
      this.state = "sealed";
    });
  }

  async abort(): Promise<void> {
    if (this.state !== "open") return;
    this.state = "aborted";
    await this.discard();
  }

  /**
   * A server on the network that is asked twice, because its first answer was lost, finds no draft: it is in
   * its place, or what somebody else has put there since: either has been renamed after it was written.
   */
  private async moveIntoPlace(written: { mtimeMs: number }): Promise<void> {
    const { fs, draft, target } = this.deps;
    try {
      await fs.rename(draft, target);
    } catch (thrown) {
      if (!hasErrno(thrown, "ENOENT")) throw thrown;
      const found = await unlessStale(() => fs.stat(target)).catch(() => undefined);
      if (found === undefined || found.ctimeMs < written.mtimeMs) throw thrown;
    }
  }

  /** What cannot be removed now is removed when the store is opened next. */
  private async discard(): Promise<void> {
    await this.deps.handle.close().catch(() => undefined);
    await this.deps.fs.unlink(this.deps.draft).catch(() => undefined);
  }

  /** A failed writer stays failed: after a failed sync, nobody knows what the disk holds. */
  private async attempt(work: () => Promise<void>): Promise<void> {
    assert(this.state === "open", `an object writer is used after it was ${this.state}`);
    if (this.failed !== undefined) throw this.failed;
    try {
      this.deps.signal?.throwIfAborted();
      await work();
    } catch (thrown) {
      this.failed = this.deps.signal?.aborted
        ? codedErrorFrom(this.deps.signal.reason)
        : this.deps.failure(thrown);
      // At once: an open file that its owner forgets would end the process when it is collected.
      await this.discard();
      throw this.failed;
    }
  }
}

/** The most that one writev(2) takes on every system. */
const buffersMax = 1_024;

async function writeAll(handle: FileHandle, bytes: readonly Uint8Array[]): Promise<void> {
  const parts = bytes.filter((part) => part.length > 0);
  let next = 0;
  let written = 0;
  while (next < parts.length) {
    const group = parts.slice(next, next + buffersMax);
    group[0] = parts[next]!.subarray(written);
    const { bytesWritten } = await handle.writev(group);
    if (bytesWritten === 0) throw new Error("The operating system wrote nothing, without an error");
    written += bytesWritten;
    while (next < parts.length && written >= parts[next]!.length) written -= parts[next++]!.length;
  }
}
