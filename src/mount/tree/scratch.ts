import type * as nodeFs from "node:fs/promises";
import { randomHex, type Random } from "../../base/random.ts";
import { KiB, MiB } from "../../base/size.ts";

/** The part of the file system that scratch files use. */
export type ScratchFs = Pick<typeof nodeFs, "open" | "unlink">;

/** A scratch file up to this size stays in memory. */
const smallBytesMax = 256 * KiB;
/** All of those together; beyond, they are on disk. */
const memoryBytesMax = 32 * MiB;

type OpenFile = Awaited<ReturnType<ScratchFs["open"]>>;

/** Where scratch files are. Nothing of them is left when the process dies. */
export class ScratchSpace {
  readonly options: { readonly fs: ScratchFs; readonly folder: string; readonly random: Random };
  /** Of small files, in memory. */
  usedBytes = 0;

  constructor(options: { fs: ScratchFs; folder: string; random: Random }) {
    this.options = options;
  }

  open(): Scratch {
    return new Scratch(this);
  }

  /** A file on disk that has no name any more. */
  async openFile(): Promise<OpenFile> {
    const { fs, folder, random } = this.options;
    const path = `${folder}/mammoth-mount-${randomHex(random)}`;
    const file = await fs.open(path, "wx+", 0o600);
    await fs.unlink(path);
    return file;
  }

  hasRoom(bytes: number): boolean {
    return this.usedBytes + bytes <= memoryBytesMax;
  }
}

/** Bytes at any place, kept until it is closed. */
export class Scratch {
  private readonly space: ScratchSpace;
  private memory: Buffer | undefined = Buffer.alloc(0);
  private file: OpenFile | undefined;

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

  async close(): Promise<void> {
    this.leaveMemory();
    await this.file?.close();
    this.file = undefined;
  }

  private grow(bytes: number): boolean {
    const memory = this.memory!;
    if (bytes <= memory.length) return true;
    const wanted = Math.max(4 * KiB, 2 ** Math.ceil(Math.log2(bytes)));
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
    if (memory.length > 0) await this.file.write(memory, 0, memory.length, 0);
    this.leaveMemory();
  }

  private leaveMemory(): void {
    this.space.usedBytes -= this.memory?.length ?? 0;
    this.memory = undefined;
  }
}
