import { writeSync, writevSync } from "node:fs";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { hasErrno } from "../../base/errno.ts";
import { nextTurn } from "../../base/next-turn.ts";
import { smallYoungHeap } from "../../base/young-heap.ts";
import type { Device } from "../fuse/device.ts";
import { requestBytesMax } from "../fuse/protocol.ts";
import type { DeviceThreadData } from "./device-thread.ts";
import { openRing, RingReader, RingWriter, slotOf, slots } from "./request-ring.ts";

/** Parts that the system takes in one call. */
const partsMax = 512;
/** Answers up to this size are copied into one buffer. */
const smallBytes = 512;
/** Requests that are taken before other things have their turn. */
const rowMax = 16;

/** The device behind an open descriptor. */
export function openDevice(descriptor: number): Device {
  const memory = openRing(requestBytesMax);
  const ring = new RingReader(memory);
  const buffers = Array.from({ length: slots }, (_, slot) => slotOf(memory, slot));
  const small = Buffer.allocUnsafeSlow(smallBytes);
  let failure: Error | undefined;
  startThread({ descriptor, memory }, (error) => {
    failure = error;
    new RingWriter(memory).give({ slot: 0, length: 0 });
  });
  let row = 0;
  let hasEnded = false;
  return {
    async read() {
      while (!hasEnded) {
        const filled = ring.next();
        if (filled === undefined) {
          row = 0;
          await ring.wait();
          continue;
        }
        if (++row % rowMax === 0) await nextTurn();
        const { slot, length } = filled;
        if (length > 0)
          return {
            bytes: buffers[slot]!.subarray(0, length),
            giveBack: () => {
              ring.giveBack(slot);
            },
          };
        hasEnded = true;
        if (failure !== undefined) throw failure;
      }
      return undefined;
    },
    write(parts) {
      try {
        // Does not wait: the kernel copies it to who asked.
        const bytes = joined(parts, small);
        if (bytes > 0) writeSync(descriptor, small, 0, bytes);
        else writevSync(descriptor, parts.length > partsMax ? [Buffer.concat(parts)] : [...parts]);
      } catch (error) {
        if (!hasErrno(error, "ENOENT", "ENODEV", "ECONNABORTED", "EINTR")) throw error;
      }
    },
  };
}

/** Puts short parts one after the other into a buffer: one costs less to send. 0 when they are too long. */
function joined(parts: readonly Uint8Array[], buffer: Buffer): number {
  let bytes = 0;
  for (const part of parts) {
    if (bytes + part.length > buffer.length) return 0;
    buffer.set(part, bytes);
    bytes += part.length;
  }
  return bytes;
}

/** Starts the thread that reads. */
function startThread(data: DeviceThreadData, onError: (error: Error) => void): void {
  // The thread's file ends as this one does: .ts in a checkout, .js in the package.
  const file = new URL(`./device-thread${extname(import.meta.url)}`, import.meta.url);
  const worker = new Worker(file, { workerData: data, resourceLimits: smallYoungHeap });
  worker.once("error", onError);
}
