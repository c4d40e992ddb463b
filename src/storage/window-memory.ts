import { MiB } from "../base/size.ts";
import { chunkBytesMax } from "../chunking/index.ts";
import { freeMemory, isAlone } from "./memory.ts";

/** New bytes in a window, at most. */
export const freshBytesMax = 2 * MiB;
/** Of a full window: with room for the longest open chunk before what is new. */
const windowBytes = chunkBytesMax + freshBytesMax;

/** Buffers kept at a time, beside those in use, which alone count for the budget. */
const keptMax = 4;

/**
 * Memory of full windows, used again while streams come: what the system gets back costs a fault for every page when it is
 * taken anew. Pages of a buffer that nothing was written to cost nothing.
 */
export class WindowMemory {
  private readonly kept: Buffer[] = [];

  /** Its contents are anything. */
  take(): Buffer {
    return this.kept.pop() ?? Buffer.allocUnsafeSlow(windowBytes);
  }

  /** Takes any buffer back that nothing may look into any more. */
  give(buffer: Buffer): void {
    const isOne = isAlone(buffer) && buffer.length === windowBytes;
    if (isOne && this.kept.length < keptMax) this.kept.push(buffer);
    else freeMemory(buffer);
  }

  /** Nobody has a use for it at present. */
  clear(): void {
    for (const buffer of this.kept.splice(0)) freeMemory(buffer);
  }
}
