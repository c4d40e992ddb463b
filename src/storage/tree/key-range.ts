/** Where a range of keys ends, exclusive; null: it does not. */
export type KeyEnd = Buffer | null;

const noBytes = Buffer.alloc(0);
const separator = Buffer.from([0]);
const afterSeparator = Buffer.from([1]);

/** The end of the range that starts with `key` and holds it and all that is below it. */
export function subtreeEnd(key: Buffer): KeyEnd {
  return key.length === 0 ? null : Buffer.concat([key, afterSeparator]);
}

/** The very next key in byte order. */
export function keyAfter(key: Buffer): Buffer {
  return Buffer.concat([key, separator]);
}

/** True for keys in front of the end. */
export function isBefore(key: Buffer, end: KeyEnd): boolean {
  return end === null || Buffer.compare(key, end) < 0;
}

/** The end that lies further. */
export function laterEnd(a: KeyEnd | undefined, b: KeyEnd): KeyEnd {
  if (a === undefined) return b;
  return a !== null && isBefore(a, b) ? b : a;
}

/** True when `key` lies below the directory `dir`; a directory is not below itself. */
export function isBelow(key: Buffer, dir: Buffer): boolean {
  if (dir.length === 0) return key.length > 0;
  return (
    key.length > dir.length &&
    key[dir.length] === 0 &&
    key.compare(dir, 0, dir.length, 0, dir.length) === 0
  );
}

/** The key of the directory that holds `key`; empty for what stands in the root. */
export function parentKey(key: Buffer): Buffer {
  const end = key.lastIndexOf(0);
  return end < 0 ? noBytes : key.subarray(0, end);
}

/** Of ascending items, the index of the first at or after `key` (with `past`: after it); their number if there is none. */
export function lowerBound(
  items: readonly { readonly key: Buffer }[],
  key: Buffer,
  past = false,
): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = Buffer.compare(items[middle]!.key, key);
    if (order < 0 || (past && order === 0)) low = middle + 1;
    else high = middle;
  }
  return low;
}
