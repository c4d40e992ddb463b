import { readFile } from "node:fs/promises";

/** Changes whenever this machine starts anew; undefined where the system has none. */
export async function readBootId(): Promise<string | undefined> {
  return await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => undefined);
}
