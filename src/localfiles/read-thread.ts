import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import { errnoOf } from "../base/errno.ts";
import { KiB, MiB } from "../base/size.ts";

// Runs in a thread of openLocalFiles(): three calls of the system for a file, and no turn of an event loop.

/** What is asked of the thread. */
export interface ReadCall {
  readonly id: number;
  readonly paths: readonly string[];
}

/** What it answers: files as they were asked for, or at which of them it could not go on, and why. */
export type ReadReply = { readonly id: number } & (
  | { readonly contents: Uint8Array<ArrayBuffer>; readonly sizes: readonly number[] }
  | { readonly at: number; readonly errno: string }
);

/** In place of the size of a file that is not read here. */
export const notSmall = -1;
/** Files up to this size are small. */
export const smallBytesMax = 128 * KiB;
const replyBytesMax = MiB;
const replyFilesMax = 1_024;

/** Reads the first of the files, as many as fit into one reply. */
export function readSmallFiles({ id, paths }: ReadCall): ReadReply {
  const contents = Buffer.allocUnsafeSlow(replyBytesMax);
  const sizes: number[] = [];
  let end = 0;
  for (const path of paths) {
    if (sizes.length >= replyFilesMax || replyBytesMax - end < smallBytesMax + 1) break;
    try {
      const size = readSmall(path, contents, end);
      sizes.push(size);
      end += Math.max(size, 0);
    } catch (error) {
      return { id, at: sizes.length, errno: errnoOf(error) };
    }
  }
  const { buffer } = contents as Buffer<ArrayBuffer>;
  // Memory that nothing was read into goes back.
  return { id, contents: new Uint8Array(buffer.transfer(end)), sizes };
}

/** A pipe would make us wait for its writer, a device might never end: neither is read. */
function readSmall(path: string, into: Buffer, at: number): number {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(file);
    if (stat.isDirectory()) throw Object.assign(new Error("a directory"), { code: "EISDIR" });
    if (!stat.isFile()) throw Object.assign(new Error("no file"), { code: "EINVAL" });
    if (stat.size > smallBytesMax) return notSmall;
    let bytes = 0;
    // One byte more than it may have: it may have grown since.
    while (bytes <= smallBytesMax) {
      const count = readSync(file, into, at + bytes, smallBytesMax + 1 - bytes, null);
      bytes += count;
      // Most files give all they have at once, as they said.
      if (count === 0 || bytes === stat.size) break;
    }
    return bytes > smallBytesMax ? notSmall : bytes;
  } finally {
    closeSync(file);
  }
}

parentPort?.on("message", (call: ReadCall) => {
  const reply = readSmallFiles(call);
  parentPort?.postMessage(reply, "contents" in reply ? [reply.contents.buffer] : []);
});
