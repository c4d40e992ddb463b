import { crc32 } from "node:zlib";
import { unreachable } from "../base/assert.ts";
import { CodedError } from "../base/errors.ts";
import { adler32 } from "../base/hash.ts";
import { compareSortKeys, keyEndOf, type KeyRules, sortKeyOf } from "./key-rules.ts";

/** Of one job; a run of a partition is named after its number. */
export const partitionsMax = 65_535;

/**
 * How a key chooses its partition.
 *
 * | kind | rule |
 * | --- | --- |
 * | hash | FNV-1a of the key, its bits mixed, modulo the number of partitions |
 * | fnv1a | FNV-1a, 32 bits, modulo: the word count of kubemr |
 * | crc32 | the absolute value of CRC-32 as a signed number, modulo: qfs_mapred |
 * | adler32 | Adler-32, modulo: pfs 0.4 |
 * | range | as many boundaries as are not above the key |
 * | one | everything in partition 0 |
 */
export type Partitioner =
  | { readonly kind: "hash" | "fnv1a" | "crc32" | "adler32"; readonly fields?: number }
  | { readonly kind: "range"; readonly boundaries: readonly Uint8Array[] }
  | { readonly kind: "one" };

/** The partition of the key `bytes[start, end)`: 0 and up. */
export type PartitionOf = (bytes: Uint8Array, start: number, end: number) => number;

/**
 * FNV-1a, 32 bits. Hashing takes a multiplication a byte and no table, but its lowest bits hardly depend on the
 * high bits of the bytes: take mixed() of it to spread keys evenly.
 */
export function fnv1a(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  return hash >>> 0;
}

/** Every bit of a hash spread over all others: the last step of MurmurHash3. */
function mixed(hash: number): number {
  let bits = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/** The absolute value of CRC-32 read as a signed number, which is how qfs_mapred spreads keys. */
function absoluteCrc32(bytes: Uint8Array, start: number, end: number): number {
  return Math.abs(crc32(bytes.subarray(start, end)) | 0);
}

/**
 * The rule as a function.
 *
 * @throws CodedError `invalid_argument` when rule and number do not go together
 */
export function partitionOf(
  partitioner: Partitioner,
  partitions: number,
  rules: KeyRules,
): PartitionOf {
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > partitionsMax)
    throw new CodedError(
      "invalid_argument",
      `${partitions} partitions: give 1 to ${partitionsMax}`,
    );
  if (partitions === 1 || partitioner.kind === "one") return () => 0;
  if (partitioner.kind === "range") return byRange(partitioner.boundaries, partitions, rules);
  const hash = hashOf(partitioner.kind);
  const { fields } = partitioner;
  if (fields === undefined) return (bytes, start, end) => hash(bytes, start, end) % partitions;
  const shorter = { ...rules, keyFields: fields };
  return (bytes, start, end) =>
    hash(bytes, start, keyEndOf(bytes, start, end, shorter)) % partitions;
}

function hashOf(kind: "hash" | "fnv1a" | "crc32" | "adler32"): PartitionOf {
  switch (kind) {
    case "hash":
      return (bytes, start, end) => mixed(fnv1a(bytes, start, end));
    case "fnv1a":
      return fnv1a;
    case "crc32":
      return absoluteCrc32;
    case "adler32":
      return (bytes, start, end) => adler32(bytes.subarray(start, end));
    default:
      return unreachable(kind);
  }
}

function byRange(
  boundaries: readonly Uint8Array[],
  partitions: number,
  rules: KeyRules,
): PartitionOf {
  if (boundaries.length > partitions - 1)
    throw new CodedError(
      "invalid_argument",
      `${boundaries.length} boundaries for ${partitions} partitions: give one less than partitions, or fewer`,
    );
  const bounds = boundaries.map((key) => sortKeyOf(key, rules));
  return (bytes, start, end) => {
    const key = sortKeyOf(bytes.subarray(start, end), rules);
    let low = 0;
    for (let high = bounds.length; low < high;) {
      const middle = (low + high) >>> 1;
      if (compareSortKeys(bounds[middle]!, key, rules) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}
