import { readFileSync } from "node:fs";
import { run } from "../test/e2e/testing/daemon.ts";

/** Runs a program that must succeed. */
export async function runOk(program: string, args: readonly string[]): Promise<void> {
  const { code, stderr } = await run(program, args);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code}: ${stderr}`);
}

/** `cp -r`, and with `sync` until the disk has it. */
export async function copy(from: string, to: string, sync: boolean): Promise<void> {
  const script = sync ? 'cp -r "$0" "$1" && sync -f "$1"' : 'cp -r "$0" "$1"';
  await runOk("sh", ["-c", script, from, to]);
}

/** The most memory a process has had, in megabytes (10^6); from /proc, so on Linux alone. */
export function peakMemory(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return (Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1_024) / 1e6;
}
