/**
 * Gives the memory of a slice back at once, when nothing else lies in it: garbage collection, which hardly sees
 * what is outside its heap, would let many of them pile up. Nobody may hold the slice any more, the system
 * included.
 */
export function freeBytes(slice: Uint8Array): void {
  const memory = slice.buffer;
  if (memory instanceof ArrayBuffer && memory.byteLength === slice.length) memory.transfer(0);
}
