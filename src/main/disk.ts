import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import type { Disk } from "../cli/index.ts";

/** The machine's disk. */
export const disk: Disk = {
  write(path, bytes) {
    const file = openSync(path, "w");
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
    } finally {
      closeSync(file);
    }
  },
  makeFolder(path) {
    mkdirSync(path, { recursive: true });
  },
};
