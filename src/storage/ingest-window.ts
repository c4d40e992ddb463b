import { KiB, MiB } from "../base/size.ts";
import type { BudgetAccount } from "./ingest-budget.ts";
import { freeMemory } from "./memory.ts";

/** New bytes in a window, at most; with the longest open chunk before them a window has 10 MiB. */
const freshBytesMax = 2 * MiB;
/** Windows up to this size are free: a small request waits for nobody. */
const freeBytesMax = 256 * KiB;
const firstBytes = 4 * KiB;

/** Bytes of a stream from the start of its open chunk on. Grows with what comes; its memory is freed at once. */
export class IngestWindow {
  readonly account: BudgetAccount;
  buffer: Buffer = Buffer.alloc(0);
  used = 0;
  /** Bytes the cutter has seen. */
  scanned = 0;
  private charged = 0;

  constructor(account: BudgetAccount) {
    this.account = account;
  }

  /** A window that begins with the bytes after `start` of another, with room for as much as that one had. */
  static async following(
    window: IngestWindow,
    start: number,
    signal: AbortSignal,
  ): Promise<IngestWindow> {
    const next = new IngestWindow(window.account);
    const carried = window.used - start;
    if (carried === 0) return next;
    await next.resize(Math.min(window.buffer.length, carried + freshBytesMax), signal);
    window.buffer.copy(next.buffer, 0, start, window.used);
    next.used = next.scanned = carried;
    return next;
  }

  /** True when it must be scanned before more fits. */
  get isFull(): boolean {
    return this.used - this.scanned >= freshBytesMax;
  }

  /** Copies what fits of `slice` from `at` on; gives back how much that was. */
  async fill(slice: Uint8Array, at: number, signal: AbortSignal): Promise<number> {
    const bytesMax = this.scanned + freshBytesMax;
    const count = Math.min(slice.length - at, bytesMax - this.used);
    const wanted = this.used + count;
    if (wanted > this.buffer.length) {
      await this.resize(
        Math.min(bytesMax, Math.max(wanted, 2 * this.buffer.length, firstBytes)),
        signal,
      );
    }
    this.buffer.set(slice.subarray(at, at + count), this.used);
    this.used += count;
    return count;
  }

  /** Frees the memory. Nothing may look into it any more. */
  free(): void {
    freeMemory(this.buffer);
    this.buffer = Buffer.alloc(0);
    this.account.giveBack(this.charged);
    this.charged = 0;
  }

  private async resize(bytes: number, signal: AbortSignal): Promise<void> {
    const charge = bytes > freeBytesMax ? bytes : 0;
    await this.account.take(charge - this.charged, signal);
    this.charged = Math.max(this.charged, charge);
    const grown = Buffer.allocUnsafeSlow(bytes);
    this.buffer.copy(grown, 0, 0, this.used);
    freeMemory(this.buffer);
    this.buffer = grown;
  }
}
