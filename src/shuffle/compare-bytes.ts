/** So many bytes are compared here: a call into the runtime takes longer. */
const looked = 24;

/** The order of two runs of bytes as unsigned numbers; one that begins the other comes first. */
export function compareRanges(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const aBytes = aEnd - aStart;
  const bBytes = bEnd - bStart;
  const both = aBytes < bBytes ? aBytes : bBytes;
  const near = both < looked ? both : looked;
  for (let i = 0; i < near; i++) {
    const difference = a[aStart + i]! - b[bStart + i]!;
    if (difference !== 0) return difference;
  }
  if (both > near) {
    const order = Buffer.compare(
      a.subarray(aStart + near, aStart + both),
      b.subarray(bStart + near, bStart + both),
    );
    if (order !== 0) return order;
  }
  return aBytes - bBytes;
}
