import { CodedError } from "../base/errors.ts";
import { KiB } from "../base/size.ts";

/** Longest path, in bytes of UTF-8. Recorded in docs/reference/differences.md: the original had no limit. */
export const pathBytesMax = 64 * KiB;

/**
 * A path in a commit as we hold it: no leading or trailing slash, no empty, `.` or `..` component;
 * the root is the empty string.
 */
export type FilePath = string;

/** A character has at most three bytes for each unit of a string's length. */
const cleanLengthMax = pathBytesMax / 4;
/** No component is empty or begins with a dot. */
const cleanPath = /^[^/.\0][^/\0]*(?:\/[^/.\0][^/\0]*)*$/;

/**
 * Cleans a path as a person typed it: `./a`, `/a//b/`, `a/../b`.
 *
 * @throws CodedError `invalid_argument` when it leaves the root, holds NUL or is longer than 64 KiB
 */
export function parsePath(typed: string): FilePath {
  // Nearly all of many are clean.
  if (typed.length <= cleanLengthMax && cleanPath.test(typed)) return typed;
  if (typed.includes("\0")) {
    throw new CodedError(
      "invalid_argument",
      `Cannot use path ${JSON.stringify(typed)}: it contains a NUL character. Choose a name without it`,
      { details: { classic: `filename cannot contain null character: ${typed}` } },
    );
  }
  if (Buffer.byteLength(typed) > pathBytesMax) {
    throw new CodedError(
      "invalid_argument",
      `Cannot use a path of ${Buffer.byteLength(typed)} bytes: at most ${pathBytesMax} are allowed. Shorten it`,
    );
  }
  const parts: string[] = [];
  for (const part of typed.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) {
      throw new CodedError(
        "invalid_argument",
        `Cannot use path ${JSON.stringify(typed)}: it leaves the root of the repo. Remove the leading ".."`,
      );
    }
  }
  return parts.join("/");
}

/** As parsePath, for a path that must name a file or directory below the root. */
export function parseEntryPath(typed: string): FilePath {
  const path = parsePath(typed);
  if (path === "") {
    throw new CodedError(
      "invalid_argument",
      `Cannot use path ${JSON.stringify(typed)}: it is the root of the repo. Name a file below it`,
    );
  }
  return path;
}

/** `a/b` under the directory `dir`. */
export function joinPath(dir: FilePath, below: FilePath): FilePath {
  if (dir === "") return below;
  return below === "" ? dir : `${dir}/${below}`;
}

/** The ancestors of a path, outermost first, without the root and itself. */
export function ancestorsOf(path: FilePath): FilePath[] {
  const ancestors: FilePath[] = [];
  for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1)) {
    ancestors.push(path.slice(0, slash));
  }
  return ancestors;
}

/** The first component: what file shards are made of. */
export function topOf(path: FilePath): string {
  const slash = path.indexOf("/");
  return slash < 0 ? path : path.slice(0, slash);
}

/**
 * The key of a path in a tree: its bytes with `/` as 0x00, so that a directory and all that is below
 * it are neighbours (in byte order `a.b` would stand between `a` and `a/b`). Part of the format.
 */
export function keyOfPath(path: FilePath): Buffer {
  const key = Buffer.from(path, "utf8");
  for (let i = key.indexOf(0x2f); i >= 0; i = key.indexOf(0x2f, i + 1)) key[i] = 0;
  return key;
}

/** The inverse of keyOfPath(). */
export function pathOfKey(key: Uint8Array): FilePath {
  const bytes = Buffer.isBuffer(key) ? key : Buffer.from(key);
  // No byte of a longer character is 0.
  return bytes.toString("utf8").replaceAll("\0", "/");
}
