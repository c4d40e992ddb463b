import { Semaphore } from "../../base/semaphore.ts";
import { nextTurn } from "../../base/next-turn.ts";
import { Refusal } from "../refusal.ts";
import { blockBytes, keyOf, type Block, type Blocks } from "./block.ts";
import type { Content } from "./content.ts";
import { Flow } from "./flow.ts";
import type { Range } from "./ranges.ts";

/** Fetches under way; more wait. */
const fetchesMax = 8;
const spareMax = 64;
/** Requests that go on as far as somebody reads. */
const flowsMax = 4;

/** Blocks of files in memory, those used last; fetched once, however many ask. */
export class ContentCache implements Blocks {
  private readonly bytesMax: number;
  /** Least recently used first. */
  private readonly blocks = new Map<string, Block>();
  private readonly fetches = new Semaphore(fetchesMax);
  private readonly closed = new AbortController();
  /** Memory of blocks that were evicted. */
  private readonly spare: Uint8Array[] = [];
  private bytesHeld = 0;
  private flows = 0;

  /** @param bytesMax blocks that are being fetched may exceed it */
  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /**
   * Bytes of a content, in pieces; fewer than asked for when it has become shorter. The pieces are good until
   * the next turn of the event loop.
   */
  async read(content: Content, range: Range, signal: AbortSignal): Promise<Uint8Array[]> {
    const end = Math.min(range.end, content.sizeBytes);
    if (range.start >= end) return [];
    this.want(content, { start: range.start, end });
    const pieces: Uint8Array[] = [];
    const used: Block[] = [];
    try {
      for (let index = blockOf(range.start); index * blockBytes < end; index++) {
        const block = this.use(content, index);
        used.push(block);
        const bytes = await unlessInterrupted(block.bytes, signal);
        const start = index * blockBytes;
        pieces.push(bytes.subarray(Math.max(0, range.start - start), end - start));
        if (bytes.length < block.size) break;
      }
      return pieces;
    } finally {
      for (const block of used) block.users--;
    }
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

  /** One request for everything from a block on, of which so much comes as it is extended to. */
  openFlow(content: Content, from: number): Flow | undefined {
    if (this.flows >= flowsMax) return undefined;
    this.flows++;
    const flow = new Flow(this, content, from);
    flow
      .run(this.closed.signal)
      .catch((error: unknown) => {
        flow.fail(error);
      })
      .finally(() => {
        this.flows--;
      });
    return flow;
  }

  /** A block that is coming. */
  expect(key: string, size: number): Block {
    const coming = Promise.withResolvers<Uint8Array>();
    coming.promise.catch(() => undefined);
    const { promise: bytes, resolve, reject } = coming;
    const block: Block = { bytes, size, isThere: false, users: 0, resolve, reject };
    // Another one may bring it, too: then it is only passed by.
    if (this.blocks.has(key)) return block;
    this.blocks.set(key, block);
    this.bytesHeld += size;
    this.evict();
    return block;
  }

  /** Ends what is being fetched. */
  close(): void {
    this.closed.abort();
  }

  private use(content: Content, index: number): Block {
    const key = keyOf(content, index);
    let block = this.blocks.get(key);
    if (block === undefined) {
      // Evicted since it was asked for.
      this.fetch(content, index, index + 1);
      block = this.blocks.get(key)!;
    }
    this.blocks.delete(key);
    this.blocks.set(key, block);
    block.users++;
    return block;
  }

  private fetch(content: Content, from: number, to: number): void {
    const flow = new Flow(this, content, from);
    flow.extend(to);
    flow.close();
    this.fetches
      .run(() => flow.run(this.closed.signal), 1, this.closed.signal)
      .catch((error: unknown) => {
        flow.fail(error);
      });
  }

  private evict(): void {
    for (const [key, block] of this.blocks) {
      if (this.bytesHeld <= this.bytesMax) return;
      if (!block.isThere || block.users > 0) continue;
      this.drop(key, block);
      void this.reuse(block);
    }
  }

  /** Memory for a block: left to garbage collection, each would cost more than its bytes. */
  memory(bytes: number): Uint8Array {
    return (bytes === blockBytes ? this.spare.pop() : undefined) ?? Buffer.allocUnsafeSlow(bytes);
  }

  private async reuse({ bytes: coming, size }: Block): Promise<void> {
    const bytes = await coming;
    // Who was given it may still be about to send it.
    await nextTurn();
    const isWhole = size === blockBytes && bytes.length === blockBytes;
    if (isWhole && this.spare.length < spareMax) this.spare.push(bytes);
  }

  drop(key: string, block: Block): void {
    if (this.blocks.get(key) !== block) return;
    this.blocks.delete(key);
    this.bytesHeld -= block.size;
  }
}

function blockOf(offset: number): number {
  return Math.floor(offset / blockBytes);
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
