/** Smaller buffers may share their memory with others. */
const sharedBytesMax = 2 * Buffer.poolSize;

/** The memory of a buffer, when it is large enough to be nobody else's. */
export function ownMemory(buffer: Uint8Array): ArrayBuffer | undefined {
  const memory = buffer.buffer;
  if (!(memory instanceof ArrayBuffer) || memory.byteLength <= sharedBytesMax) return undefined;
  return memory;
}

/**
 * Gives the memory of a block or slab back at once: garbage collection, which hardly sees what is outside
 * its heap, would let many of them pile up. Nobody may hold it any more, the system included. What is small stays.
 */
export function freeMemory(buffer: Uint8Array): void {
  ownMemory(buffer)?.transfer(0);
}

/** Buffers come out of another thread as plain byte arrays. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
