import type * as nodeFs from "node:fs/promises";

/**
 * Names which files paths lead to: two programs with the same view find the same file by the same path.
 * Undefined where the operating system does not tell; from /proc, so on Linux alone.
 */
export async function fileView(
  fs: Pick<typeof nodeFs, "readlink" | "stat">,
): Promise<string | undefined> {
  try {
    const [mounts, { dev, ino }] = await Promise.all([
      fs.readlink("/proc/self/ns/mnt"),
      fs.stat("/"),
    ]);
    return `${mounts} ${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
