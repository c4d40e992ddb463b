import { spawnSync } from "node:child_process";
import * as fs from "node:fs/promises";
import { clearMounts, openViewMount } from "../mount/index.ts";
import type { ViewDisplays, WorkerOptions } from "../worker/index.ts";

/** Time that taking a mount away at the end of the process may take. */
const endMs = 2_000;

/** Mounts of this machine for what is brought as it is read. */
export function viewDisplays({ clock, log }: Pick<WorkerOptions, "clock" | "log">): ViewDisplays {
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const deps = { fs, clock, owner };
  return {
    async open(point, source) {
      const mount = await openViewMount(point, { ...deps, source, log });
      // Otherwise a process that ends in haste would wait for its own thread that waits for the kernel.
      const end = (): void =>
        void spawnSync("umount", ["-n", "-f", "-l", point], { timeout: endMs });
      process.once("exit", end);
      const ended = (): void => void process.off("exit", end);
      mount.ended.then(ended, ended);
      return mount;
    },
    clear: async (directory) => await clearMounts(directory, deps),
  };
}
