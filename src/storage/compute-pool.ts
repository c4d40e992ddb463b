import { fileURLToPath } from "node:url";
import { Piscina } from "piscina";
import { CodedError } from "../base/errors.ts";
import { KiB } from "../base/size.ts";
import { smallYoungHeap } from "../base/young-heap.ts";
import type {
  BytesRange,
  Compute,
  EncodedFrame,
  EncodeTask,
  Encoding,
  HashTask,
  Scan,
  ScanTask,
} from "./compute.ts";
import type { Decoded, Hashed } from "./compute-thread.ts";
import { asBuffer, boundsOf, memoryOf } from "./compute-transfer.ts";
import { decodeFrame, encodeFrames, hashRanges, scanWindow } from "./compute-work.ts";
import { alone } from "./memory.ts";
import { hashBytes } from "./tree/entry.ts";

/** Up to this much is done at once: a round trip to a thread would take longer. */
const inlineBytesMax = 64 * KiB;
/** Compressing takes several times as long as cutting, or as taking apart again. */
const encodedInlineBytesMax = 32 * KiB;

/** Work that may wait for a thread; callers bound their own share far below. */
const waitingMax = 10_000;

/**
 * Does the arithmetic on threads, small things at once on the calling one.
 *
 * @param options.threads how many; 2 by default
 */
export function openPoolCompute(options: { threads?: number } = {}): Compute {
  const pool = new Piscina({
    // The same extension as this file: sources run as .ts, the published package as .js.
    filename: fileURLToPath(import.meta.url).replace(/compute-pool(\.[jt]s)$/, "compute-thread$1"),
    minThreads: 1,
    maxThreads: options.threads ?? 2,
    maxQueue: waitingMax,
    idleTimeout: 30_000,
    resourceLimits: smallYoungHeap,
  });
  const run = async <T>(name: string, task: unknown, buffer: Buffer): Promise<T> => {
    // As an object: the library's own type knows only the other overload of postMessage.
    const options: object = { name, transferList: memoryOf([buffer]) };
    return (await pool.run(task, options)) as T;
  };
  return {
    async scan(task: ScanTask) {
      if (task.end - task.start <= inlineBytesMax) return scanWindow(task);
      const buffer = alone(task.buffer);
      const done = await run<Scan>("scan", { ...task, buffer }, buffer);
      return { ...done, buffer: asBuffer(done.buffer) };
    },
    async hash(task: HashTask) {
      if (lengthOf(task.ranges) <= inlineBytesMax) return hashRanges(task);
      const buffer = alone(task.buffer);
      const bounds = boundsOf(task.ranges);
      const done = await run<Hashed>("hash", { buffer, bounds }, buffer);
      const hashes = asBuffer(done.hashes);
      return {
        buffer: asBuffer(done.buffer),
        hashes: task.ranges.map((_, i) => hashes.subarray(i * hashBytes, (i + 1) * hashBytes)),
      };
    },
    async encode(task: EncodeTask) {
      if (lengthOf(task.ranges) <= encodedInlineBytesMax) return encodeFrames(task);
      const buffer = alone(task.buffer);
      const done = await run<Encoding>("encode", { ...task, buffer }, buffer);
      return { buffer: asBuffer(done.buffer), frames: done.frames.map(received) };
    },
    async decode(frame) {
      if (frame.length <= inlineBytesMax) return decodeFrame(frame);
      const buffer = alone(frame);
      const done = await run<Decoded>("decode", buffer, buffer);
      if ("damage" in done) throw new CodedError("data_loss", done.damage);
      return asBuffer(done.plain);
    },
    async close() {
      await pool.close();
    },
  };
}

function lengthOf(ranges: readonly BytesRange[]): number {
  return ranges.reduce((sum, { start, end }) => sum + end - start, 0);
}

function received(frame: EncodedFrame): EncodedFrame {
  return { head: asBuffer(frame.head), packed: frame.packed && asBuffer(frame.packed) };
}
