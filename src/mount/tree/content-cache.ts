import { Semaphore } from "../../base/semaphore.ts";
import { KiB, MiB } from "../../base/size.ts";
import { Refusal } from "../refusal.ts";
import type { Content } from "./content.ts";
import type { Range } from "./ranges.ts";

/** What is fetched and kept at a time: as much as a kernel reads ahead. */
export const blockBytes = 128 * KiB;
/** Fetches under way; more wait. */
const fetchesMax = 8;

interface Block {
  /** Shorter than it should be when the file has become so. */
  readonly bytes: Promise<Uint8Array>;
  readonly size: number;
  isThere: boolean;
}

/** Blocks of files in memory, those used last; fetched once, however many ask. */
export class ContentCache {
  private readonly bytesMax: number;
  /** Least recently used first. */
  private readonly blocks = new Map<string, Block>();
  private readonly fetches = new Semaphore(fetchesMax);
  private readonly closed = new AbortController();
  private bytesHeld = 0;

  /** @param bytesMax blocks that are being fetched may exceed it */
  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Bytes of a content, in pieces; fewer than asked for when it has become shorter. */
  async read(content: Content, range: Range, signal: AbortSignal): Promise<Uint8Array[]> {
    const end = Math.min(range.end, content.sizeBytes);
    if (range.start >= end) return [];
    this.want(content, { start: range.start, end });
    const pieces: Uint8Array[] = [];
    for (let index = blockOf(range.start); index * blockBytes < end; index++) {
      const bytes = await this.block(content, index, signal);
      const start = index * blockBytes;
      pieces.push(bytes.subarray(Math.max(0, range.start - start), end - start));
      if (bytes.length < Math.min(blockBytes, content.sizeBytes - start)) break;
    }
    return pieces;
  }

  /** Begins to fetch what is not there of a range, in as few requests as it takes. */
  want(content: Content, range: Range): void {
    const end = Math.min(range.end, content.sizeBytes);
    let missingFrom: number | undefined;
    let index = blockOf(range.start);
    for (; index * blockBytes < end; index++) {
      const isMissing = !this.blocks.has(keyOf(content, index));
      if (isMissing) missingFrom ??= index;
      else if (missingFrom !== undefined) {
        this.fetch(content, missingFrom, index);
        missingFrom = undefined;
      }
    }
    if (missingFrom !== undefined) this.fetch(content, missingFrom, index);
  }

  /** How much it holds. */
  get heldBytes(): number {
    return this.bytesHeld;
  }

  /** Ends what is being fetched. */
  close(): void {
    this.closed.abort();
  }

  private async block(content: Content, index: number, signal: AbortSignal): Promise<Uint8Array> {
    const key = keyOf(content, index);
    let block = this.blocks.get(key);
    if (block === undefined) {
      // Evicted since it was asked for.
      this.fetch(content, index, index + 1);
      block = this.blocks.get(key)!;
    }
    this.blocks.delete(key);
    this.blocks.set(key, block);
    return await unlessInterrupted(block.bytes, signal);
  }

  private fetch(content: Content, from: number, to: number): void {
    const waiting: PromiseWithResolvers<Uint8Array>[] = [];
    const blocks: Block[] = [];
    for (let index = from; index < to; index++) {
      const coming = Promise.withResolvers<Uint8Array>();
      coming.promise.catch(() => undefined);
      const size = Math.min(blockBytes, content.sizeBytes - index * blockBytes);
      const block = { bytes: coming.promise, size, isThere: false };
      waiting.push(coming);
      blocks.push(block);
      this.blocks.set(keyOf(content, index), block);
      this.bytesHeld += size;
    }
    this.evict();
    this.fetches
      .run(() => this.fill(content, from, { waiting, blocks }), 1, this.closed.signal)
      .catch((error: unknown) => {
        for (const [index, block] of blocks.entries()) {
          if (block.isThere) continue;
          this.drop(keyOf(content, from + index), block);
          waiting[index]!.reject(error as Error);
        }
      });
  }

  private async fill(
    content: Content,
    from: number,
    { waiting, blocks }: { waiting: PromiseWithResolvers<Uint8Array>[]; blocks: Block[] },
  ): Promise<void> {
    const start = from * blockBytes;
    const end = start + blocks.reduce((sum, { size }) => sum + size, 0);
    let current = 0;
    let used = 0;
    let bytes: Buffer | undefined;
    const finish = (): void => {
      const block = blocks[current]!;
      block.isThere = true;
      waiting[current++]!.resolve((bytes ?? Buffer.alloc(0)).subarray(0, used));
      bytes = undefined;
      used = 0;
    };
    for await (const piece of content.fetch({ start, end }, this.closed.signal)) {
      for (let at = 0; at < piece.length && current < blocks.length;) {
        bytes ??= Buffer.allocUnsafeSlow(blocks[current]!.size);
        const taken = Math.min(piece.length - at, bytes.length - used);
        bytes.set(piece.subarray(at, at + taken), used);
        at += taken;
        used += taken;
        if (used === bytes.length) finish();
      }
    }
    // The file has become shorter.
    while (current < blocks.length) finish();
  }

  private evict(): void {
    for (const [key, block] of this.blocks) {
      if (this.bytesHeld <= this.bytesMax) return;
      if (block.isThere) this.drop(key, block);
    }
  }

  private drop(key: string, block: Block): void {
    if (this.blocks.get(key) !== block) return;
    this.blocks.delete(key);
    this.bytesHeld -= block.size;
  }
}

function blockOf(offset: number): number {
  return Math.floor(offset / blockBytes);
}

function keyOf(content: Content, index: number): string {
  return `${content.key}/${index}`;
}

async function unlessInterrupted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) throw new Refusal("EINTR");
  const interrupted = Promise.withResolvers<never>();
  const stop = (): void => {
    interrupted.reject(new Refusal("EINTR"));
  };
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([promise, interrupted.promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Read-ahead of one handle grows from the first to the last as long as it reads on. */
const aheadBytes = { first: 512 * KiB, last: 8 * MiB } as const;

/** How far ahead of a reader is fetched: nothing unless it reads one thing after the other. */
export class ReadAhead {
  private end = 0;
  private window = 0;
  private fetchedTo = 0;

  /** What should be fetched besides, when this is read now. */
  next(range: Range): Range | undefined {
    // The kernel's own read-ahead may arrive in another order.
    const isOn = Math.abs(range.start - this.end) <= 2 * blockBytes;
    this.end = range.end;
    if (!isOn) {
      this.window = 0;
      return undefined;
    }
    if (range.start === 0 || this.window === 0) this.fetchedTo = range.end;
    if (this.fetchedTo - range.end > this.window / 2) return undefined;
    this.window = Math.min(aheadBytes.last, Math.max(aheadBytes.first, this.window * 2));
    const start = Math.max(this.fetchedTo, range.end);
    this.fetchedTo = range.end + this.window;
    return { start, end: this.fetchedTo };
  }
}
