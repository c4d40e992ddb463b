import { assert } from "../base/assert.ts";
import { KiB } from "../base/size.ts";
import { chunkBytesMax } from "../chunking/index.ts";
import type { BudgetAccount } from "./ingest-budget.ts";
import { freeMemory } from "./memory.ts";
import { freshBytesMax } from "./window-memory.ts";

/** Windows up to this size are free: a small request waits for nobody. */
const freeBytesMax = 256 * KiB;
const firstBytes = 4 * KiB;

/**
 * Bytes of a stream: room for the open chunk, then new bytes, up to 2 MiB. The first of a stream grows with
 * what comes. Its memory is freed at once.
 */
export class IngestWindow {
  readonly account: BudgetAccount;
  buffer: Buffer = Buffer.alloc(0);
  /** Where the open chunk begins, which the cutter has seen, and where the new bytes do. */
  start: number;
  readonly scanned: number;
  /** Where the new bytes end. */
  end: number;
  private charged = 0;
  private isFreed = false;

  /** @param room for so many bytes of the open chunk */
  private constructor(account: BudgetAccount, room: number) {
    this.account = account;
    this.start = this.scanned = this.end = room;
  }

  /** The first of a stream: there is no open chunk yet. */
  static first(account: BudgetAccount): IngestWindow {
    return new IngestWindow(account, 0);
  }

  /** One to be filled while the one before is scanned: with room for whatever may be carried over. */
  static async behind(window: IngestWindow, signal: AbortSignal): Promise<IngestWindow> {
    const next = new IngestWindow(window.account, chunkBytesMax);
    await next.charge(Math.min(window.bytes, chunkBytesMax) + freshBytesMax, signal);
    next.buffer = next.account.memory.take();
    return next;
  }

  get bytes(): number {
    return this.end - this.start;
  }

  get isFull(): boolean {
    return this.end - this.scanned >= freshBytesMax;
  }

  /** Puts the open chunk before what is there. */
  carry(open: Buffer): void {
    this.start = this.scanned - open.length;
    assert(this.start >= 0, "there is room for the open chunk");
    open.copy(this.buffer, this.start);
  }

  /** Copies what fits of `slice` from `at` on; gives back how much that was. */
  async fill(slice: Uint8Array, at: number, signal: AbortSignal): Promise<number> {
    const endMax = this.scanned + freshBytesMax;
    const count = Math.min(slice.length - at, endMax - this.end);
    const wanted = this.end + count;
    if (wanted > this.buffer.length)
      await this.resize(
        Math.min(endMax, Math.max(wanted, 2 * this.buffer.length, firstBytes)),
        signal,
      );
    if (this.isFreed) return count;
    this.buffer.set(slice.subarray(at, at + count), this.end);
    this.end += count;
    return count;
  }

  /** Frees the memory. Nothing may look into it any more; what still comes is dropped. */
  free(): void {
    this.isFreed = true;
    this.account.memory.give(this.buffer);
    this.buffer = Buffer.alloc(0);
    this.account.giveBack(this.charged);
    this.charged = 0;
  }

  private async resize(bytes: number, signal: AbortSignal): Promise<void> {
    await this.charge(bytes > freeBytesMax ? bytes : 0, signal);
    if (this.isFreed) return;
    const grown = Buffer.allocUnsafeSlow(bytes);
    this.buffer.copy(grown, 0, 0, this.end);
    freeMemory(this.buffer);
    this.buffer = grown;
  }

  private async charge(bytes: number, signal: AbortSignal): Promise<void> {
    const more = bytes - this.charged;
    await this.account.take(more, signal);
    if (this.isFreed) this.account.giveBack(more);
    else this.charged = Math.max(this.charged, bytes);
  }
}
