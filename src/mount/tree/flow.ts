import { freeBytes } from "../../base/free-bytes.ts";
import { blockBytes, keyOf, type Block, type Blocks } from "./block.ts";
import type { Content } from "./content.ts";

/** What comes of a content in one request: blocks in a row, as far as it is extended. */
export class Flow {
  private readonly cache: Blocks;
  private readonly content: Content;
  private readonly from: number;
  private readonly blocks: Block[] = [];
  /** How many of them are there. */
  private filled = 0;
  private isClosed = false;
  private isOver = false;
  private wake: (() => void) | undefined;

  constructor(cache: Blocks, content: Content, from: number) {
    this.cache = cache;
    this.content = content;
    this.from = from;
  }

  /** Lets it come up to the block `to`. False when it has ended. */
  extend(to: number): boolean {
    if (this.isOver) return false;
    const end = Math.min(to, Math.ceil(this.content.sizeBytes / blockBytes));
    for (let index = this.from + this.blocks.length; index < end; index++) {
      const size = Math.min(blockBytes, this.content.sizeBytes - index * blockBytes);
      this.blocks.push(this.cache.expect(keyOf(this.content, index), size));
    }
    this.wake?.();
    return true;
  }

  /** Ends it when all is there that it was extended to. */
  close(): void {
    this.isClosed = true;
    this.wake?.();
  }

  /** Brings it. */
  async run(signal: AbortSignal): Promise<void> {
    const start = this.from * blockBytes;
    // What was to end at once asks for no more than that.
    const end = this.isClosed
      ? Math.min((this.from + this.blocks.length) * blockBytes, this.content.sizeBytes)
      : this.content.sizeBytes;
    let used = 0;
    let bytes: Uint8Array | undefined;
    for await (const piece of this.content.fetch({ start, end }, signal)) {
      for (let at = 0; at < piece.length;) {
        const block = await this.next();
        if (block === undefined) break;
        bytes ??= this.cache.memory(block.size);
        const taken = Math.min(piece.length - at, bytes.length - used);
        bytes.set(piece.subarray(at, at + taken), used);
        at += taken;
        used += taken;
        if (used < bytes.length) continue;
        this.finish(bytes);
        bytes = undefined;
        used = 0;
      }
      freeBytes(piece);
      if (this.isClosed && this.filled === this.blocks.length) break;
    }
    this.isOver = true;
    // The file has become shorter.
    if (bytes !== undefined) this.finish(bytes.subarray(0, used));
    while (this.filled < this.blocks.length) this.finish(new Uint8Array(0));
  }

  /** Those that wait for it are told. */
  fail(error: unknown): void {
    this.isOver = true;
    for (const [index, block] of this.blocks.entries()) {
      if (index < this.filled) continue;
      this.cache.drop(keyOf(this.content, this.from + index), block);
      block.reject(error);
    }
  }

  private async next(): Promise<Block | undefined> {
    while (this.filled === this.blocks.length && !this.isClosed) {
      const woken = Promise.withResolvers<void>();
      this.wake = woken.resolve;
      await woken.promise;
    }
    return this.blocks[this.filled];
  }

  private finish(bytes: Uint8Array): void {
    const block = this.blocks[this.filled++]!;
    block.isThere = true;
    block.resolve(bytes);
  }
}
