import { read, writevSync } from "node:fs";
import { hasErrno } from "../../base/errno.ts";
import type { Device } from "../fuse/device.ts";

/** Parts that the system takes in one call. */
const partsMax = 512;

/** The device behind an open descriptor. */
export function openDevice(descriptor: number): Device {
  return {
    async read(buffer) {
      for (;;) {
        try {
          return await readOnce(descriptor, buffer);
        } catch (error) {
          if (hasErrno(error, "ENODEV", "ECONNABORTED", "EBADF")) return 0;
          // ENOENT: the request was interrupted before it was read.
          if (!hasErrno(error, "ENOENT", "EINTR", "EAGAIN")) throw error;
        }
      }
    },
    write(parts) {
      const sent = parts.length > partsMax ? [Buffer.concat(parts)] : [...parts];
      try {
        // Does not wait: the kernel copies it to who asked.
        writevSync(descriptor, sent);
      } catch (error) {
        if (!hasErrno(error, "ENOENT", "ENODEV", "ECONNABORTED", "EINTR")) throw error;
      }
    },
  };
}

function readOnce(descriptor: number, buffer: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    read(descriptor, buffer, 0, buffer.length, null, (error, bytes) => {
      if (error === null) resolve(bytes);
      else reject(error);
    });
  });
}
