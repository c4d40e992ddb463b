import type { ByteRange } from "./compare-bytes.ts";

// A number as bytes whose order is the order of numbers, exact for any number of digits.
//
// zero      0x80
// positive  head, pairs of digits as 1 + value; the value is 0.d1d2d3... x 10^exponent, d1 not zero
// negative  the same with all bits turned, and 0xff at the end
// head      0xc0 + exponent for exponents of -60 to 60; else 0x81 or 0xff, then the exponent plus 2^31 in four bytes

const zero = 0x80;
const middle = 0xc0;
const nearMax = 60;
const farBelow = 0x81;
const farAbove = 0xff;

const minus = 0x2d;
const point = 0x2e;
const digit0 = 0x30;

/** Room that encodeNumber() needs for a key of so many bytes. */
export function numberBytesMax(keyBytes: number): number {
  return (keyBytes >> 1) + 8;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= digit0 && byte <= digit0 + 9;
}

/**
 * Writes what stands for the number with which a key begins: blanks, a minus, digits, a point,
 * digits; whatever follows does not count, and no digits at all are zero. That is what `LC_ALL=C sort -n` reads.
 * `out` must have room for numberBytesMax().
 *
 * @returns where in `out` it ends
 */
export function encodeNumber(key: ByteRange, out: Uint8Array, outStart: number): number {
  const { bytes, start, end } = key;
  let at = start;
  while (at < end && (bytes[at] === 0x20 || bytes[at] === 0x09)) at++;
  const negative = at < end && bytes[at] === minus;
  if (negative) at++;
  while (at < end && bytes[at] === digit0) at++;
  const wholeStart = at;
  while (at < end && isDigit(bytes[at])) at++;
  const wholeEnd = at;
  let fractionStart = at;
  let exponent = wholeEnd - wholeStart;
  if (at < end && bytes[at] === point) {
    fractionStart = ++at;
    while (at < end && isDigit(bytes[at])) at++;
  }
  let fractionEnd = at;
  while (fractionEnd > fractionStart && bytes[fractionEnd - 1] === digit0) fractionEnd--;
  if (exponent === 0) {
    const first = fractionStart;
    while (fractionStart < fractionEnd && bytes[fractionStart] === digit0) fractionStart++;
    if (fractionStart >= fractionEnd) {
      out[outStart] = zero;
      return outStart + 1;
    }
    exponent = first - fractionStart;
  }
  let to = writeHead(exponent, out, outStart);
  let held = -1;
  const put = (digit: number): void => {
    if (held < 0) held = digit;
    else {
      out[to++] = 1 + held * 10 + digit;
      held = -1;
    }
  };
  for (let i = wholeStart; i < wholeEnd; i++) put(bytes[i]! - digit0);
  for (let i = fractionStart; i < fractionEnd; i++) put(bytes[i]! - digit0);
  if (held >= 0) out[to++] = 1 + held * 10;
  // 100 and 1 are the same digits with another exponent.
  while (out[to - 1] === 1) to--;
  if (!negative) return to;
  for (let i = outStart; i < to; i++) out[i] = ~out[i]!;
  out[to++] = 0xff;
  return to;
}

function writeHead(exponent: number, out: Uint8Array, at: number): number {
  if (exponent >= -nearMax && exponent <= nearMax) {
    out[at] = middle + exponent;
    return at + 1;
  }
  out[at] = exponent < 0 ? farBelow : farAbove;
  const shifted = exponent + 2 ** 31;
  for (let i = 0; i < 4; i++) out[at + 1 + i] = Math.floor(shifted / 2 ** (24 - 8 * i)) & 0xff;
  return at + 5;
}
