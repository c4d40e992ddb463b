import { isUtf8 } from "node:buffer";
import { createTwoFilesPatch } from "diff";
import { MiB } from "../base/size.ts";

/** Larger files are not compared line by line. */
export const textBytesMax = 4 * MiB;
/** Files too different for this much time are shown as replaced. */
const timeoutMs = 3_000;
const headBytes = 8_192;

/** True for what a person can read: UTF-8 without NUL. */
export function isText(bytes: Buffer): boolean {
  return !bytes.subarray(0, headBytes).includes(0) && isUtf8(bytes);
}

/** The unified diff of two texts with three lines around each change; what is undefined does not exist. */
export function lineDiff(
  name: string,
  before: Buffer | undefined,
  after: Buffer | undefined,
): string {
  const [from, to] = [before, after].map((bytes) => bytes?.toString() ?? "") as [string, string];
  const names = [before, after].map((bytes, side) =>
    bytes === undefined ? "/dev/null" : `${"ab"[side]}${name}`,
  ) as [string, string];
  // The library's types say that there is none on a time-out only in some of its versions.
  const patch = createTwoFilesPatch(...names, from, to, undefined, undefined, {
    context: 3,
    timeout: timeoutMs,
    headerOptions: { includeIndex: false, includeUnderline: false, includeFileHeaders: true },
  }) as string | undefined;
  return patch ?? `--- ${names[0]}\n+++ ${names[1]}\n(too different for a line diff)\n`;
}
