import { transferableSymbol, valueSymbol } from "piscina";

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

/** True when nothing else can live in the buffer's memory. */
export function isAlone(buffer: Buffer): buffer is Buffer<ArrayBuffer> {
  return (
    buffer.buffer instanceof ArrayBuffer &&
    buffer.length > 0 &&
    buffer.length === buffer.buffer.byteLength
  );
}

/** The same bytes alone in their memory, copied only when they are not yet. */
export function alone(buffer: Buffer): Buffer {
  if (isAlone(buffer)) return buffer;
  const copy = Buffer.allocUnsafeSlow(buffer.length);
  buffer.copy(copy);
  return copy;
}

/** Buffers come out of another thread as plain byte arrays. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
