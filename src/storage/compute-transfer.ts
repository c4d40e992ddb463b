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

/** Buffers come out of another thread as plain byte arrays. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
