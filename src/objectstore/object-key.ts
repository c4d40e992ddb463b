import { CodedError } from "../base/errors.ts";

const keyBytesMax = 255;

/**
 * Refuses what is not a key: names of ASCII letters, digits, `-`, `_` and `.`, joined by `/`, none
 * empty, `.` or `..`, at most 255 bytes together.
 *
 * @throws CodedError `invalid_argument`
 */
export function checkObjectKey(key: string): void {
  const valid =
    key.length <= keyBytesMax &&
    key.split("/").every((name) => /^[\w.-]+$/.test(name) && name !== "." && name !== "..");
  if (valid) return;
  throw new CodedError(
    "invalid_argument",
    `"${key}" is not an object key: use letters, digits, - _ . and /, at most ${keyBytesMax} bytes, no empty name, no ".."`,
  );
}
