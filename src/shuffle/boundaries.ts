import { compareSortKeys, type KeyRules, sortKeyOf } from "./key-rules.ts";
import type { RunIndex } from "./run-format.ts";

/**
 * Keys that divide what is in some runs into so many ranges of about the same size, as far as the indexes tell;
 * ascending in the order of the rules, at most `partitions - 1`, fewer when there are not as many different keys.
 */
export function boundariesOf(
  indexes: Iterable<RunIndex>,
  partitions: number,
  rules: KeyRules,
): Uint8Array[] {
  const samples: { key: Uint8Array; sortKey: Uint8Array; bytes: number }[] = [];
  for (const { blocks } of indexes)
    for (const { firstKey, fullBytes } of blocks)
      samples.push({ key: firstKey, sortKey: sortKeyOf(firstKey, rules), bytes: fullBytes });
  samples.sort((a, b) => compareSortKeys(a.sortKey, b.sortKey, rules));
  const total = samples.reduce((sum, { bytes }) => sum + bytes, 0);
  const boundaries: Uint8Array[] = [];
  let last = samples[0]?.sortKey;
  let before = 0;
  for (const { key, sortKey, bytes } of samples) {
    const wanted = (total * (boundaries.length + 1)) / partitions;
    if (boundaries.length + 1 === partitions) break;
    if (before >= wanted && compareSortKeys(sortKey, last!, rules) > 0) {
      boundaries.push(Uint8Array.from(key));
      last = sortKey;
    }
    before += bytes;
  }
  return boundaries;
}
