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
/** Memory for what is known of a file, its name above all. */
const nameBytes = 512;
/** Files kept at most, whatever is in them: 128 MiB of memory. */
const filesMax = 2 ** 18;

export interface CachingOptions {
  /** A folder of this process alone. */
  readonly folder: string;
  readonly fs: FileSystem;
  /** Of all that is kept: on the disk, and in memory to know it by. */
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

/** Object, start and length of a range. */
const namePattern = /^[0-9a-f]{64}\.\d+\.\d+$/;

function objectOf(name: string): string {
  return name.slice(0, name.indexOf("."));
}

/** What a range takes of the bound: its file is no longer than the length that was asked for. */
function sizeOf(name: string): number {
  const length = Number(name.slice(name.lastIndexOf(".") + 1));
  return Math.max(length + checksumBytes, fileBytesMin) + nameBytes;
}

class RangeCache {
  private readonly fs: FileSystem;
  private readonly folder: string;
  private readonly bytesMax: number;
  /** Least lately used first. */
  private readonly kept = new Map<string, number>();
  /** Names of what is kept, by object. */
  private readonly namesOf = new Map<string, Set<string>>();
  private bytes = 0;
  private drafts = 0;

  constructor({ fs, folder, bytesMax }: CachingOptions) {
    this.fs = fs;
    this.folder = folder;
    this.bytesMax = bytesMax;
  }

  /** Takes sizes from names: no file is looked at. What is too much goes while others read. */
  async open(): Promise<void> {
    await new DurableFolders(this.fs, this.folder).ensure(this.folder);
    for (const name of await this.fs.readdir(this.folder))
      if (namePattern.test(name)) this.note(name);
      else await this.fs.unlink(join(this.folder, name));
    void this.shrink();
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
    if (sizeOf(name) > this.bytesMax || this.kept.has(name)) return;
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
      this.note(name);
      await this.shrink();
    } catch {
      await this.fs.unlink(draft).catch(() => undefined);
    }
  }

  /** All ranges of one object. */
  async dropObject(object: string): Promise<void> {
    for (const name of this.namesOf.get(object) ?? []) await this.drop(name);
  }

  private note(name: string): void {
    this.forget(name);
    const size = sizeOf(name);
    this.kept.set(name, size);
    this.bytes += size;
    const object = objectOf(name);
    const names = this.namesOf.get(object);
    if (names === undefined) this.namesOf.set(object, new Set([name]));
    else names.add(name);
  }

  private forget(name: string): void {
    const size = this.kept.get(name);
    if (size === undefined) return;
    this.bytes -= size;
    this.kept.delete(name);
    const object = objectOf(name);
    const names = this.namesOf.get(object);
    names?.delete(name);
    if (names?.size === 0) this.namesOf.delete(object);
  }

  private async shrink(): Promise<void> {
    for (const oldest of this.kept.keys()) {
      if (this.bytes <= this.bytesMax && this.kept.size <= filesMax) return;
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
