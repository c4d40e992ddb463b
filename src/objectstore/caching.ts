import { join } from "node:path";
import { crc32 } from "node:zlib";
import { DurableFolders } from "../base/durable-folders.ts";
import type { FileSystem } from "../base/file-system.ts";
import { sha256 } from "../base/hash.ts";
import { MiB } from "../base/size.ts";
import type { ObjectStore } from "./object-store.ts";

/** A longer range is not kept: it would push out too much that is small and asked for often. */
const rangeBytesMax = 16 * MiB;
const checksumBytes = 4;
/** What a file takes of the bound, whatever is in it. */
const fileBytesMin = 4_096;

export interface CachingOptions {
  /** A folder of this process alone. */
  readonly folder: string;
  readonly fs: FileSystem;
  /** Of all that is kept. */
  readonly bytesMax: number;
}

/**
 * Keeps ranges that were read on the local disk, those used least lately going first. Objects never change,
 * so nothing is ever out of date. A file cut short or damaged is found by its checksum and read anew.
 */
export async function caching(store: ObjectStore, options: CachingOptions): Promise<ObjectStore> {
  const ranges = new RangeCache(options);
  await ranges.open();
  return {
    create: (key, called) => store.create(key, called),
    read: async (key, range, called) => {
      if (range.length === 0 || range.length > rangeBytesMax)
        return await store.read(key, range, called);
      const name = `${objectName(key)}.${range.start}.${range.length}`;
      const kept = await ranges.get(name);
      if (kept !== undefined) return kept;
      const bytes = await store.read(key, range, called);
      await ranges.keep(name, bytes);
      return bytes;
    },
    stat: (key, called) => store.stat(key, called),
    list: (prefix, called) => store.list(prefix, called),
    remove: async (key, called) => {
      await store.remove(key, called);
      await ranges.dropObject(objectName(key));
    },
    close: () => store.close(),
  };
}

function objectName(key: string): string {
  return sha256(Buffer.from(key)).toString("hex");
}

class RangeCache {
  private readonly fs: FileSystem;
  private readonly folder: string;
  private readonly bytesMax: number;
  /** Least lately used first. */
  private readonly kept = new Map<string, number>();
  private bytes = 0;
  private drafts = 0;

  constructor({ fs, folder, bytesMax }: CachingOptions) {
    this.fs = fs;
    this.folder = folder;
    this.bytesMax = bytesMax;
  }

  async open(): Promise<void> {
    await new DurableFolders(this.fs, this.folder).ensure(this.folder);
    for (const name of await this.fs.readdir(this.folder)) {
      const path = join(this.folder, name);
      if (/^[0-9a-f]{64}\.\d+\.\d+$/.test(name)) this.note(name, (await this.fs.stat(path)).size);
      else await this.fs.unlink(path);
    }
    await this.shrink();
  }

  /** What is kept under a name, intact. */
  async get(name: string): Promise<Buffer | undefined> {
    const size = this.kept.get(name);
    if (size === undefined) return undefined;
    this.kept.delete(name);
    this.kept.set(name, size);
    const file = await this.read(name).catch(() => undefined);
    const bytes = file?.subarray(checksumBytes);
    if (
      file !== undefined &&
      bytes !== undefined &&
      file.length >= checksumBytes &&
      crc32(bytes) === file.readUInt32LE(0)
    )
      return bytes;
    await this.drop(name);
    return undefined;
  }

  /** A disk that is full or broken costs the next reader time, nothing else. */
  async keep(name: string, bytes: Buffer): Promise<void> {
    const size = bytes.length + checksumBytes;
    if (size > this.bytesMax || this.kept.has(name)) return;
    const draft = join(this.folder, `draft-${this.drafts++}`);
    try {
      const head = Buffer.alloc(checksumBytes);
      head.writeUInt32LE(crc32(bytes));
      const file = await this.fs.open(draft, "w");
      try {
        await file.writev([head, bytes]);
      } finally {
        await file.close();
      }
      await this.fs.rename(draft, join(this.folder, name));
      this.note(name, size);
      await this.shrink();
    } catch {
      await this.fs.unlink(draft).catch(() => undefined);
    }
  }

  /** All ranges of one object. */
  async dropObject(object: string): Promise<void> {
    const names = [...this.kept.keys()].filter((name) => name.startsWith(object));
    for (const name of names) await this.drop(name);
  }

  private note(name: string, size: number): void {
    this.forget(name);
    const counted = Math.max(size, fileBytesMin);
    this.kept.set(name, counted);
    this.bytes += counted;
  }

  private forget(name: string): void {
    this.bytes -= this.kept.get(name) ?? 0;
    this.kept.delete(name);
  }

  private async shrink(): Promise<void> {
    for (const oldest of this.kept.keys()) {
      if (this.bytes <= this.bytesMax) return;
      await this.drop(oldest);
    }
  }

  private async drop(name: string): Promise<void> {
    this.forget(name);
    await this.fs.unlink(join(this.folder, name)).catch(() => undefined);
  }

  private async read(name: string): Promise<Buffer> {
    const path = join(this.folder, name);
    const { size } = await this.fs.stat(path);
    const file = await this.fs.open(path, "r");
    try {
      const bytes = Buffer.allocUnsafeSlow(size);
      let at = 0;
      while (at < size) {
        const { bytesRead } = await file.read(bytes, at, size - at, at);
        if (bytesRead === 0) break;
        at += bytesRead;
      }
      return bytes.subarray(0, at);
    } finally {
      await file.close();
    }
  }
}
