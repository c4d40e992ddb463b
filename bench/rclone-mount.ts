import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Whether `rclone mount` can be measured here. */
export function hasRclone(): boolean {
  return spawnSync("rclone", ["version"]).status === 0;
}

/**
 * Works on a folder of this machine as `rclone mount` shows it: what a mount costs that fetches nothing from anywhere. Its own
 * process is told, too.
 */
export async function withRcloneMount(
  folder: string,
  work: (at: string, pid: number) => Promise<void>,
): Promise<void> {
  const point = mkdtempSync(join(tmpdir(), "mammoth-bench-rclone-"));
  const child = spawn("rclone", ["mount", folder, point], { stdio: "ignore" });
  try {
    for (let waitedMs = 0; !readFileSync("/proc/self/mounts", "utf8").includes(point);) {
      if ((waitedMs += 50) > 10_000) throw new Error("rclone mounts nothing within 10 s");
      await sleep(50);
    }
    await work(point, child.pid!);
  } finally {
    spawnSync("umount", ["-f", "-l", point]);
    child.kill("SIGKILL");
    rmdirSync(point);
  }
}
