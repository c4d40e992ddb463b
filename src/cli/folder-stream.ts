import type { FileHandle } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { errnoOf } from "../base/errno.ts";
import { CodedError } from "../base/errors.ts";
import { MiB } from "../base/size.ts";
import { writeAll } from "../base/write-all.ts";
import { readTarInto, type Patience, type TarSink } from "../client/index.ts";
import { joinPath, parseEntryPath, parsePath } from "../model/paths.ts";
import type { Context } from "./context.ts";
import type { Progress } from "./progress.ts";
import { saveRange, type RemoteFile } from "./save-range.ts";

/** A file of this size comes on its own: a daemon of this machine writes it itself. */
const ownBytesMin = 64 * MiB;

/** The stream is left at a file that comes on its own, and gone on with behind it. */
class OnItsOwn extends Error {}

/** How far it is. Plain data. */
export interface StreamState {
  /** Of the files it has: all up to this one, which is empty at its start. */
  after: string;
  files: number;
  bytes: number;
  /** A larger file under way, and how much of it is there. */
  current?: { readonly path: string; at: number; readonly end: number } | undefined;
  isDone: boolean;
}

export interface StreamOptions {
  /** The folder that is read. */
  readonly remote: RemoteFile;
  /** The commit is not open: what it has stays. */
  readonly isFixed: boolean;
  /** The local folder. */
  readonly to: string;
  readonly state: StreamState;
  readonly patience: Patience;
  readonly progress: Progress | undefined;
  readonly touch: () => void;
}

/** The stream in which a folder arrives, in the order of its files: where it breaks off it is gone on with. */
export class FolderStream implements TarSink {
  private readonly context: Context;
  private readonly options: StreamOptions;
  /** Those that are known to be there. */
  private readonly folders = new Set<string>();
  private handle: FileHandle | undefined;
  /** Whether a daemon of this machine can write large files itself. */
  private canSave = false;

  constructor(context: Context, options: StreamOptions) {
    this.context = context;
    this.options = options;
  }

  async run(): Promise<void> {
    const { remote, state, patience, isFixed } = this.options;
    const { client, commit, path, view } = remote;
    // Of an open commit all files are to be of one moment, which is that of the stream.
    this.canSave = isFixed && (await patience.ask(() => client.files.canSave()));
    while (!state.isDone) {
      try {
        await this.endCurrent();
        const after = state.after === "" ? undefined : state.after;
        const tar = await client.files.getTar(commit, path, { ...view, after });
        await readTarInto(tar, this);
        state.isDone = true;
      } catch (error) {
        if (!(error instanceof OnItsOwn)) await patience.pause(error);
      } finally {
        await this.handle?.close();
        this.handle = undefined;
      }
    }
  }

  directory(path: string): void {
    this.makeFolder(this.localOf(path));
  }

  whole(path: string, content: Buffer): void {
    const local = this.localOf(path);
    this.makeFolder(dirname(local));
    this.context.deps.disk.write(local, content);
    this.options.progress?.add(1, content.length);
    this.ended(path, content.length);
  }

  async begin(path: string, sizeBytes: number): Promise<void> {
    const local = this.localOf(path);
    this.makeFolder(dirname(local));
    this.handle = await this.context.deps.fileSystem.open(local, "w");
    this.options.state.current = { path, at: 0, end: sizeBytes };
    if (this.canSave && sizeBytes >= ownBytesMin) throw new OnItsOwn();
  }

  async part(bytes: Buffer): Promise<void> {
    const { state, progress, touch } = this.options;
    const current = state.current!;
    await writeAll(this.handle!, bytes, current.at);
    current.at += bytes.length;
    progress?.add(0, bytes.length);
    touch();
  }

  async end(): Promise<void> {
    const { state, progress } = this.options;
    const { path, end } = state.current!;
    await this.handle!.close();
    this.handle = undefined;
    state.current = undefined;
    progress?.add(1, 0);
    this.ended(path, end);
  }

  /** A larger file in the middle of which it broke off, or that comes on its own. */
  private async endCurrent(): Promise<void> {
    const { state, remote, isFixed, patience, progress, touch } = this.options;
    const { current } = state;
    if (current === undefined) return;
    if (!isFixed) {
      // What it had then may not be there any more: it comes again whole.
      state.current = undefined;
      return;
    }
    const local = this.localOf(current.path);
    try {
      this.handle = await this.context.deps.fileSystem.open(local, "r+");
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
      // It is not there any more: it comes again.
      state.current = undefined;
      return;
    }
    const path = joinPath(parsePath(remote.path), parseEntryPath(current.path));
    const onBytes = (bytes: number): void => {
      progress?.add(0, bytes);
      touch();
    };
    const { random } = this.context.deps;
    const here = this.canSave ? resolve(local) : undefined;
    await saveRange({ ...remote, path }, this.handle, current, {
      patience,
      onBytes,
      random,
      local: here,
    });
    await this.end();
  }

  private ended(path: string, bytes: number): void {
    const { state, remote, patience, touch } = this.options;
    state.after = joinPath(parsePath(remote.path), parseEntryPath(path));
    state.files++;
    state.bytes += bytes;
    patience.renew();
    touch();
  }

  private localOf(path: string): string {
    try {
      return join(this.options.to, parseEntryPath(path));
    } catch (error) {
      throw new CodedError("invalid_argument", `Cannot save ${path}: it leads out of the folder`, {
        cause: error,
      });
    }
  }

  private makeFolder(folder: string): void {
    if (this.folders.has(folder)) return;
    this.context.deps.disk.makeFolder(folder);
    this.folders.add(folder);
  }
}
