import { CodedError } from "../../base/errors.ts";

/** A size of 0 is all there is; what is behind the end is empty. */
export function rangeOf(
  offset: bigint,
  size: bigint,
  bytes: number,
): { start: number; end: number } {
  if (offset < 0n || size < 0n)
    throw new CodedError(
      "invalid_argument",
      `Cannot read ${size} bytes from offset ${offset}: give numbers of at least 0`,
    );
  const start = Math.min(Number(offset), bytes);
  return { start, end: size === 0n ? bytes : Math.min(start + Number(size), bytes) };
}
