import type * as nodeFs from "node:fs/promises";
import { assert } from "../base/assert.ts";
import { CodedError } from "../base/errors.ts";

/** The part of the file system that the cache uses. */
export type CacheFs = Pick<
  typeof nodeFs,
  "mkdir" | "open" | "readFile" | "readdir" | "rename" | "rm" | "stat" | "unlink"
>;

export interface FileCacheOptions {
  readonly fs: CacheFs;
  /** Directory of this cache alone. */
  readonly dir: string;
  /** Files not in use are evicted, least recently used first, to stay below; those in use may exceed it. */
  readonly bytesMax: number;
  /**
   * Changes whenever the machine starts anew; undefined when that cannot be known. What was written
   * without a clean close survives the death of the process, but not that of the machine.
   */
  readonly bootId: string | undefined;
}

/** A file held in the cache. Read-only; may be hard-linked or cloned, never written. */
export interface HeldFile {
  readonly path: string;
  /** Lets the file go; it may then be evicted. Safe to call again. */
  release(): void;
}

/** Whole files on local disk by content digest. */
export interface FileCache {
  /**
   * The file with this digest and length, fetched when it is not there: once, however many ask.
   * When a fetch fails or is aborted only its own caller fails; the next in line fetches anew.
   *
   * @throws CodedError `data_loss` when `fetch` brings another number of bytes
   */
  use(
    file: { digest: string; bytes: number },
    fetch: () => AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<HeldFile>;
  /**
   * Makes durable what was fetched, so that the next opener may trust it. When the signal fires first,
   * the next opener does so only while the machine runs. No call may follow.
   */
  close(signal: AbortSignal): Promise<void>;
}

interface Entry {
  readonly name: string;
  readonly bytes: number;
  users: number;
  isDurable: boolean;
}

/** Says whether the files are durable: `durable`, or the boot during which they were last written. */
const stateFile = "state";
const durable = "durable";

/**
 * Opens the cache with what an earlier process left in it. Half-written files are dropped, and all of
 * them when the machine may have stopped before they were durable.
 */
export async function openFileCache(options: FileCacheOptions): Promise<FileCache> {
  const { fs, dir } = options;
  await fs.mkdir(dir, { recursive: true });
  await fs.rm(`${dir}/incoming`, { recursive: true, force: true });
  await fs.mkdir(`${dir}/incoming`);
  const state = await fs.readFile(`${dir}/${stateFile}`, "utf8").catch(() => undefined);
  const isDurable = state === durable;
  const isTrusted = isDurable || (options.bootId !== undefined && state === options.bootId);
  const found: { name: string; bytes: number; usedMs: number }[] = [];
  for (const name of await fs.readdir(dir)) {
    const bytes = bytesOfName(name);
    if (bytes === undefined) continue;
    const info = await fs.stat(`${dir}/${name}`);
    if (isTrusted && info.size === bytes) found.push({ name, bytes, usedMs: info.mtimeMs });
    else await fs.unlink(`${dir}/${name}`);
  }
  const cache = new DiskFileCache(options);
  for (const { name, bytes } of found.toSorted((a, b) => a.usedMs - b.usedMs))
    cache.add({ name, bytes, users: 0, isDurable });
  await cache.evict();
  await writeState(options, options.bootId ?? "");
  return cache;
}

/** A name says what the content must be, so that nothing else need be remembered. */
function nameOf(digest: string, bytes: number): string {
  assert(/^[0-9a-f]+$/.test(digest), `a digest is hex, not "${digest}"`);
  return `${digest}-${bytes}`;
}

function bytesOfName(name: string): number | undefined {
  const match = /^[0-9a-f]+-(\d+)$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

async function writeState({ fs, dir }: FileCacheOptions, state: string): Promise<void> {
  const file = await fs.open(`${dir}/${stateFile}`, "w");
  try {
    await file.writeFile(state);
    await file.sync();
  } finally {
    await file.close();
  }
}

class DiskFileCache implements FileCache {
  private readonly options: FileCacheOptions;
  /** Least recently used first. */
  private readonly entries = new Map<string, Entry>();
  /** Names whose file is being brought or removed; others wait, then look again. */
  private readonly busy = new Map<string, Promise<void>>();
  private bytesHeld = 0;
  private fetches = 0;

  constructor(options: FileCacheOptions) {
    this.options = options;
  }

  async use(...[file, fetch, signal]: Parameters<FileCache["use"]>): Promise<HeldFile> {
    const name = nameOf(file.digest, file.bytes);
    for (;;) {
      signal.throwIfAborted();
      const other = this.busy.get(name);
      if (other !== undefined) {
        await settled(other, signal);
        continue;
      }
      const entry = this.entries.get(name);
      if (entry === undefined) {
        const source = fetch();
        return await this.whileBusy(
          name,
          async () => await this.bring(name, file.bytes, source, signal),
        );
      }
      const held = this.hold(entry);
      if (await this.isIntact(entry)) return held;
      held.release();
      this.forget(entry);
    }
  }

  async close(signal: AbortSignal): Promise<void> {
    await Promise.all(this.busy.values());
    for (const entry of this.entries.values()) {
      if (signal.aborted) return;
      if (!entry.isDurable) await this.makeDurable(entry);
    }
    await writeState(this.options, durable);
  }

  /** Takes a file that is on disk into the books. */
  add(entry: Entry): void {
    this.bytesHeld += entry.bytes;
    this.entries.set(entry.name, entry);
  }

  /** Removes files that nobody uses until the rest fits. */
  async evict(): Promise<void> {
    for (const entry of this.entries.values()) {
      if (this.bytesHeld <= this.options.bytesMax) return;
      if (entry.users > 0) continue;
      this.forget(entry);
      const path = `${this.options.dir}/${entry.name}`;
      await this.whileBusy(entry.name, async () => await this.options.fs.rm(path, { force: true }));
    }
  }

  private async whileBusy<T>(name: string, work: () => Promise<T>): Promise<T> {
    const working = work();
    const done = working.then(noop, noop);
    this.busy.set(name, done);
    try {
      return await working;
    } finally {
      this.busy.delete(name);
    }
  }

  private async bring(
    name: string,
    bytes: number,
    source: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<HeldFile> {
    const { fs, dir } = this.options;
    const incoming = `${dir}/incoming/${++this.fetches}`;
    this.bytesHeld += bytes;
    try {
      await this.evict();
      await this.write(incoming, bytes, source, signal);
      await fs.rename(incoming, `${dir}/${name}`);
    } catch (error) {
      this.bytesHeld -= bytes;
      await fs.rm(incoming, { force: true });
      throw error;
    }
    return this.hold({ name, bytes, users: 0, isDurable: false });
  }

  private async write(
    path: string,
    bytes: number,
    source: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    const file = await this.options.fs.open(path, "wx", 0o444);
    try {
      let written = 0;
      for await (const piece of source) {
        signal.throwIfAborted();
        written += piece.length;
        if (written > bytes) break;
        await file.writeFile(piece);
      }
      if (written === bytes) return;
    } finally {
      await file.close();
    }
    throw new CodedError(
      "data_loss",
      `Cannot fetch a file of ${bytes} bytes: another number came. Run the job again`,
    );
  }

  /** Also makes it the most recently used. */
  private hold(entry: Entry): HeldFile {
    entry.users++;
    this.entries.delete(entry.name);
    this.entries.set(entry.name, entry);
    let held = true;
    return {
      path: `${this.options.dir}/${entry.name}`,
      release: () => {
        if (held) entry.users--;
        held = false;
      },
    };
  }

  private async makeDurable(entry: Entry): Promise<void> {
    const file = await this.options.fs.open(`${this.options.dir}/${entry.name}`, "r");
    try {
      await file.sync();
      entry.isDurable = true;
    } finally {
      await file.close();
    }
  }

  private async isIntact(entry: Entry): Promise<boolean> {
    const path = `${this.options.dir}/${entry.name}`;
    const info = await this.options.fs.stat(path).catch(() => undefined);
    return info?.size === entry.bytes;
  }

  private forget(entry: Entry): void {
    if (this.entries.get(entry.name) !== entry) return;
    this.entries.delete(entry.name);
    this.bytesHeld -= entry.bytes;
  }
}

/** Waits for a promise that never rejects, at most until the signal fires. */
async function settled(other: Promise<void>, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const wake = (): void => resolve();
    signal.addEventListener("abort", wake, { once: true });
    void other.then(() => {
      signal.removeEventListener("abort", wake);
      resolve();
    });
  });
}

function noop(): void {}
