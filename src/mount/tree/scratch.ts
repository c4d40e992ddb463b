import type * as nodeFs from "node:fs/promises";
import { randomHex, type Random } from "../../base/random.ts";
import { KiB, MiB } from "../../base/size.ts";

/** The part of the file system that scratch files use. */
export type ScratchFs = Pick<typeof nodeFs, "open" | "unlink">;

const smallestBytes = 256;
/** A scratch file up to this size stays in memory. */
const smallBytesMax = 256 * KiB;
/** All of those together; beyond, they are on disk. */
const memoryBytesMax = 32 * MiB;

/** A file on disk, for as long as it is not closed. */
export interface ScratchFile {
  write(
    bytes: Uint8Array,
    from: number,
    count: number,
    at: number,
  ): Promise<{ readonly bytesWritten: number }>;
  read(
    into: Uint8Array,
    from: number,
    count: number,
    at: number,
  ): Promise<{ readonly bytesRead: number }>;
  truncate(bytes: number): Promise<void>;
  close(): Promise<void>;
}

/** Makes files that have no name any more: nothing of them is left when the process dies. */
export function namelessFiles(options: {
  readonly fs: ScratchFs;
  readonly folder: string;
  readonly random: Random;
}): () => Promise<ScratchFile> {
  const { fs, folder, random } = options;
  return async () => {
    const path = `${folder}/mammoth-mount-${randomHex(random)}`;
    const file = await fs.open(path, "wx+", 0o600);
    await fs.unlink(path);
    return file;
  };
}

/** Where scratch files are: small ones in memory, others where `openFile` makes them. */
export class ScratchSpace {
  readonly openFile: () => Promise<ScratchFile>;
  /** Of small files, in memory. */
  usedBytes = 0;

  private readonly bytesMax: number;

  constructor(openFile: () => Promise<ScratchFile>, bytesMax: number = memoryBytesMax) {
    this.openFile = openFile;
    this.bytesMax = bytesMax;
  }

  open(): Scratch {
    return new Scratch(this);
  }

  hasRoom(bytes: number): boolean {
    return this.usedBytes + bytes <= this.bytesMax;
  }
}

/** Bytes at any place, kept until it is closed. */
export class Scratch {
  private readonly space: ScratchSpace;
  private memory: Buffer | undefined = Buffer.alloc(0);
  private file: ScratchFile | undefined;
  /** Of the file, at least. */
  private fileBytes = 0;

  constructor(space: ScratchSpace) {
    this.space = space;
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    if (this.memory !== undefined) {
      if (this.grow(offset + bytes.length)) {
        this.memory.set(bytes, offset);
        return;
      }
      await this.toDisk(this.memory);
    }
    this.fileBytes = Math.max(this.fileBytes, offset + bytes.length);
    let written = 0;
    while (written < bytes.length) {
      const rest = bytes.length - written;
      written += (await this.file!.write(bytes, written, rest, offset + written)).bytesWritten;
    }
  }

  /** Bytes that were written before. */
  async read(offset: number, bytes: number): Promise<Uint8Array> {
    if (this.memory !== undefined) return Buffer.from(this.memory.subarray(offset, offset + bytes));
    const buffer = Buffer.alloc(bytes);
    let done = 0;
    while (done < bytes) {
      const { bytesRead } = await this.file!.read(buffer, done, bytes - done, offset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return buffer;
  }

  /** Nothing from `bytes` on is needed any more. */
  async cut(bytes: number): Promise<void> {
    await this.file?.truncate(Math.min(bytes, this.fileBytes));
    this.fileBytes = Math.min(bytes, this.fileBytes);
  }

  async close(): Promise<void> {
    this.leaveMemory();
    await this.file?.close();
    this.file = undefined;
  }

  private grow(bytes: number): boolean {
    const memory = this.memory!;
    if (bytes <= memory.length) return true;
    const wanted = Math.max(smallestBytes, 2 ** Math.ceil(Math.log2(bytes)));
    if (wanted > smallBytesMax || !this.space.hasRoom(wanted - memory.length)) return false;
    // The small ones share a buffer.
    const grown = Buffer.allocUnsafe(wanted);
    grown.set(memory);
    grown.fill(0, memory.length);
    this.space.usedBytes += wanted - memory.length;
    this.memory = grown;
    return true;
  }

  private async toDisk(memory: Buffer): Promise<void> {
    this.file = await this.space.openFile();
    this.fileBytes = memory.length;
    if (memory.length > 0) await this.file.write(memory, 0, memory.length, 0);
    this.leaveMemory();
  }

  private leaveMemory(): void {
    this.space.usedBytes -= this.memory?.length ?? 0;
    this.memory = undefined;
  }
}
