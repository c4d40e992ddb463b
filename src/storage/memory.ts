/** True when nothing else can live in the buffer's memory. */
export function isAlone(buffer: Buffer): buffer is Buffer<ArrayBuffer> {
  const memory = buffer.buffer;
  return memory instanceof ArrayBuffer && buffer.length > 0 && buffer.length === memory.byteLength;
}

/** The same bytes alone in their memory, copied only when they are not yet. */
export function alone(buffer: Buffer): Buffer {
  if (isAlone(buffer)) return buffer;
  const copy = Buffer.allocUnsafeSlow(buffer.length);
  buffer.copy(copy);
  return copy;
}

/**
 * Gives the memory of a buffer back now, if the buffer is alone in it: garbage collection lets buffers
 * of megabytes pile up. Nothing may look into it any more.
 */
export function freeMemory(buffer: Buffer): void {
  if (isAlone(buffer)) buffer.buffer.transfer(0);
}

/** The whole of the memory a buffer looks into. */
export function wholeOf(buffer: Buffer): Buffer {
  return Buffer.from(buffer.buffer);
}
