import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, hasErrno } from "../base/errno.ts";
import { CodedError } from "../base/errors.ts";
import type { FileSystem } from "../base/file-system.ts";

/** What the shuffle needs of the file system. */
export type ShuffleFs = Pick<FileSystem, "open" | "rm" | "rename">;

/**
 * The files of one sort or merge in a directory that is there already, named `PREFIX-1.run` and so on until they
 * are given away. What is not is removed again.
 */
export class RunFolder {
  readonly fs: ShuffleFs;
  readonly directory: string;
  private readonly prefix: string;
  private readonly own = new Set<string>();
  private created = 0;

  constructor(fs: ShuffleFs, directory: string, prefix: string) {
    this.fs = fs;
    this.directory = directory;
    this.prefix = prefix;
  }

  /** Opens a new file for writing. */
  async create(): Promise<RunFile> {
    const path = join(this.directory, `${this.prefix}-${++this.created}.run`);
    try {
      const handle = await this.fs.open(path, "wx");
      this.own.add(path);
      return new RunFile(path, handle);
    } catch (error) {
      throw writeFailure(path, error);
    }
  }

  /** Gives a file its final name; it is the caller's from now on. */
  async giveAway(path: string, name: string): Promise<string> {
    const final = join(this.directory, name);
    try {
      await this.fs.rename(path, final);
    } catch (error) {
      throw writeFailure(final, error);
    }
    this.own.delete(path);
    return final;
  }

  /** Removes a file that is not needed any more. */
  async remove(path: string): Promise<void> {
    this.own.delete(path);
    await this.fs.rm(path, { force: true });
  }

  /** Removes all that was made here and not given away. */
  async removeAll(): Promise<void> {
    for (const path of this.own) await this.remove(path);
  }
}

/** A file that is written from begin to end. */
export class RunFile {
  readonly path: string;
  private readonly handle: FileHandle;
  private written = 0;

  constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.handle = handle;
  }

  /** Of the file so far. */
  get bytes(): number {
    return this.written;
  }

  /** @throws CodedError `resource_exhausted` when the disk is full */
  async write(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length;) {
        const { bytesWritten } = await this.handle.write(bytes, at, bytes.length - at);
        if (bytesWritten === 0) throw new Error("the system wrote nothing");
        at += bytesWritten;
      }
    } catch (error) {
      throw writeFailure(this.path, error);
    }
    this.written += bytes.length;
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}

function writeFailure(path: string, error: unknown): CodedError {
  if (error instanceof CodedError) return error;
  const why = error instanceof Error ? error.message : String(error);
  if (hasErrno(error, "ENOSPC", "EDQUOT"))
    return new CodedError(
      "resource_exhausted",
      `Cannot write the sorted run ${path}: the disk is full (${errnoOf(error)}). Free space there, or sort on a larger disk`,
      { cause: error },
    );
  return new CodedError(
    "internal",
    `Cannot write the sorted run ${path} (${why}). See that the disk is well and the directory there, then run the task again`,
    { cause: error },
  );
}
