/** Small buffers share memory of this size; any other is one buffer's alone here. */
const poolBytes = Buffer.allocUnsafe(1).buffer.byteLength;

/** The memory of a buffer, when it is nobody else's. */
export function ownMemory(buffer: Uint8Array): ArrayBuffer | undefined {
  const memory = buffer.buffer;
  if (!(memory instanceof ArrayBuffer) || memory.byteLength === poolBytes) return undefined;
  return memory;
}

/**
 * Gives the memory of a block or slab back at once: garbage collection, which hardly sees what is outside
 * its heap, would let many of them pile up. Nobody may hold it any more, the system included. What shares memory stays.
 */
export function freeMemory(buffer: Uint8Array): void {
  ownMemory(buffer)?.transfer(0);
}

/** Buffers come out of another thread as plain byte arrays. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
