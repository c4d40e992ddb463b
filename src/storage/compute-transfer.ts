import type { BytesRange } from "./compute.ts";
import { isAlone } from "./memory.ts";
import type { transferableSymbol, valueSymbol } from "piscina";

/** A result that crosses threads together with the memory it gives away. */
export interface Moved<T extends object> {
  readonly [transferableSymbol]: readonly ArrayBuffer[];
  readonly [valueSymbol]: T;
}

/** The memory of buffers that can be given away: those that are alone in theirs. */
export function memoryOf(buffers: readonly (Buffer | undefined)[]): ArrayBuffer[] {
  const memory = new Set<ArrayBuffer>();
  for (const buffer of buffers) {
    if (buffer !== undefined && isAlone(buffer)) memory.add(buffer.buffer);
  }
  return [...memory];
}

/** Ranges as plain numbers, which cost little to clone. */
export function boundsOf(ranges: readonly BytesRange[]): Float64Array {
  const bounds = new Float64Array(2 * ranges.length);
  for (const [i, { start, end }] of ranges.entries()) {
    bounds[2 * i] = start;
    bounds[2 * i + 1] = end;
  }
  return bounds;
}

/** The inverse of boundsOf(). */
export function rangesOf(bounds: Float64Array): BytesRange[] {
  const ranges: BytesRange[] = [];
  for (let i = 0; i < bounds.length; i += 2)
    ranges.push({ start: bounds[i]!, end: bounds[i + 1]! });
  return ranges;
}

/** Buffers come out of another thread as plain byte arrays. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
