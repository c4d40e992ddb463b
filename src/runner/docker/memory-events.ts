import type { DockerFs } from "./host-mounts.ts";

const places = ["memory.events", "memory/memory.oom_control"];

/** How often something in a container was killed for lack of memory; 0 where that cannot be seen. */
export async function outOfMemoryKills(fs: DockerFs, pid: number): Promise<number> {
  for (const place of places) {
    const text = await fs
      .readFile(`/proc/${pid}/root/sys/fs/cgroup/${place}`, "utf8")
      .catch(() => undefined);
    const kills = /^oom_kill (\d+)$/m.exec(text ?? "")?.[1];
    if (kills !== undefined) return Number(kills);
  }
  return 0;
}
