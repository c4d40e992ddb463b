import { freeMemory, isAlone } from "./memory.ts";

/** Buffers kept at a time, beside those in use, which alone count for the budget. */
const keptMax = 4;

/**
 * Memory of windows, used again while streams come: what the system gets back costs a fault for every page when it is
 * taken anew. Pages of a buffer that nothing was written to cost nothing.
 */
export class WindowMemory {
  private readonly bytes: number;
  private readonly kept: Buffer[] = [];

  /** @param bytes of each buffer */
  constructor(bytes: number) {
    this.bytes = bytes;
  }

  /** Its contents are anything. */
  take(): Buffer {
    return this.kept.pop() ?? Buffer.allocUnsafeSlow(this.bytes);
  }

  /** Takes any buffer back that nothing may look into any more. */
  give(buffer: Buffer): void {
    const isOne = isAlone(buffer) && buffer.length === this.bytes;
    if (isOne && this.kept.length < keptMax) this.kept.push(buffer);
    else freeMemory(buffer);
  }

  /** Nobody has a use for it at present. */
  clear(): void {
    for (const buffer of this.kept.splice(0)) freeMemory(buffer);
  }
}
