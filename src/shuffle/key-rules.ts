import { CodedError } from "../base/errors.ts";
import type { ByteRange } from "./compare-bytes.ts";
import { encodeNumber, numberBytesMax } from "./numeric-key.ts";

/**
 * Which part of a record is its key, and how keys are ordered. A record is a line without its newline;
 * its bytes are never decoded. Records of equal keys keep the order in which they came.
 */
export interface KeyRules {
  /** What ends a field: 1 to 255 bytes, none of them a newline. A tab by default. */
  readonly separator: Uint8Array;
  /** The key is so many fields from the first on, and what stands between them; 0 means the whole record. 1 by default. */
  readonly keyFields: number;
  /** By the number at the begin of the key, as `LC_ALL=C sort -n` reads it, instead of by its bytes. */
  readonly numeric: boolean;
  /** The largest first; among equals still the one that came first. */
  readonly reverse: boolean;
}

export const newline = 0x0a;
export const tab = 0x09;

/**
 * Rules with their defaults filled in.
 *
 * @throws CodedError `invalid_argument` for a separator or a number of fields that can not be
 */
export function keyRules(given: Partial<KeyRules> = {}): KeyRules {
  const rules: KeyRules = {
    separator: given.separator ?? Uint8Array.of(tab),
    keyFields: given.keyFields ?? 1,
    numeric: given.numeric ?? false,
    reverse: given.reverse ?? false,
  };
  const { separator, keyFields } = rules;
  if (separator.length === 0 || separator.length > 255 || separator.includes(newline))
    throw new CodedError(
      "invalid_argument",
      `A separator of ${separator.length} bytes: give 1 to 255 bytes without a newline`,
    );
  if (!Number.isInteger(keyFields) || keyFields < 0 || keyFields > 65_535)
    throw new CodedError(
      "invalid_argument",
      `A key of ${keyFields} fields: give 1 to 65535, or 0 for the whole record`,
    );
  return rules;
}

/** Where the key of the record `bytes[start, end)` ends: before the separator after its last field. */
export function keyEndOf(
  bytes: Uint8Array,
  start: number,
  end: number,
  { separator, keyFields }: KeyRules,
): number {
  if (keyFields === 0) return end;
  const first = separator[0]!;
  const last = end - separator.length;
  let fields = 0;
  for (let at = start; at <= last; at++) {
    if (bytes[at] !== first || !startsAt(bytes, at, separator)) continue;
    if (++fields === keyFields) return at;
    at += separator.length - 1;
  }
  return end;
}

function startsAt(bytes: Uint8Array, at: number, what: Uint8Array): boolean {
  for (let i = 1; i < what.length; i++) if (bytes[at + i] !== what[i]) return false;
  return true;
}

/** The key of a record or of a whole line, as a view of it. */
export function keyOf(record: Uint8Array, rules: KeyRules): Uint8Array {
  const end = record.at(-1) === newline ? record.length - 1 : record.length;
  return record.subarray(0, keyEndOf(record, 0, end, rules));
}

function rangeOf(key: Uint8Array): ByteRange {
  return {
    bytes: Buffer.from(key.buffer, key.byteOffset, key.length),
    start: 0,
    end: key.length,
  };
}

/** The bytes by whose order a key is sorted: itself, or what stands for its number. */
export function sortKeyOf(key: Uint8Array, { numeric }: KeyRules): Uint8Array {
  if (!numeric) return key;
  const encoded = new Uint8Array(numberBytesMax(key.length));
  return encoded.subarray(0, encodeNumber(rangeOf(key), encoded, 0));
}

/** Below zero when `a` comes first, zero when neither does. */
export function compareKeys(a: Uint8Array, b: Uint8Array, rules: KeyRules): number {
  return compareSortKeys(sortKeyOf(a, rules), sortKeyOf(b, rules), rules);
}

/** The same of what sortKeyOf() gave. */
export function compareSortKeys(a: Uint8Array, b: Uint8Array, { reverse }: KeyRules): number {
  const order = Buffer.compare(a, b);
  return reverse ? -order : order;
}
