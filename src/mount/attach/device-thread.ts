import { readSync } from "node:fs";
import { workerData } from "node:worker_threads";
import { hasErrno } from "../../base/errno.ts";
import { RingWriter, slotOf, slots, type RingMemory } from "./request-ring.ts";

/** What the thread that reads a device is given. */
export interface DeviceThreadData {
  readonly descriptor: number;
  readonly memory: RingMemory;
}

// Reads requests until the mount has ended. It waits in the system call, so nothing has to be begun for a request that comes.

const { descriptor, memory } = workerData as DeviceThreadData;
const ring = new RingWriter(memory);
const buffers = Array.from({ length: slots }, (_, slot) => slotOf(memory, slot));

for (let length = 1; length > 0;) {
  const slot = ring.take();
  length = readRequest(buffers[slot]!);
  ring.give({ slot, length });
}

function readRequest(buffer: Buffer): number {
  for (;;) {
    try {
      return readSync(descriptor, buffer);
    } catch (error) {
      if (hasErrno(error, "ENODEV", "ECONNABORTED", "EBADF")) return 0;
      // ENOENT: the request was interrupted before it was read.
      if (!hasErrno(error, "ENOENT", "EINTR", "EAGAIN")) throw error;
    }
  }
}
