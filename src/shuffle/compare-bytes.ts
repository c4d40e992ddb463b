/** Some bytes of a larger buffer. */
export interface ByteRange {
  bytes: Buffer;
  start: number;
  end: number;
}

/** So many bytes are looked at here: a call into the runtime takes longer. */
const nearBytes = 24;

/**
 * The order of two runs of bytes as unsigned numbers; one that begins the other comes first.
 *
 * @param skip so many bytes are known to be equal, or all of the shorter one
 */
export function compareRanges(a: ByteRange, b: ByteRange, skip: number): number {
  const aBytes = a.bytes;
  const bBytes = b.bytes;
  const aStart = a.start + skip;
  const bStart = b.start + skip;
  const aLength = a.end - aStart;
  const bLength = b.end - bStart;
  const both = aLength < bLength ? aLength : bLength;
  const near = both < nearBytes ? both : nearBytes;
  for (let i = 0; i < near; i++) {
    const difference = aBytes[aStart + i]! - bBytes[bStart + i]!;
    if (difference !== 0) return difference;
  }
  if (both > near) {
    const [from, to] = [bStart + near, bStart + both];
    const order = aBytes.compare(bBytes, from, to, aStart + near, aStart + both);
    if (order !== 0) return order;
  }
  return aLength - bLength;
}

/** Copies a range to `to[at...)` and says where it ends there. */
export function copyRange({ bytes, start, end }: ByteRange, to: Buffer, at: number): number {
  if (end - start > nearBytes) bytes.copy(to, at, start, end);
  else for (let i = start, o = at; i < end; i++, o++) to[o] = bytes[i]!;
  return at + end - start;
}
