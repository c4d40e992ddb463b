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

/** Processor time of a process so far, in milliseconds; from /proc, in steps of ten. */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

/** The same, with what its children took that have ended. */
export function cpuOfAllMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return 10 * fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
}

/** Waits until a process does next to nothing for three seconds: a daemon indexes what a large put brought. */
export async function untilQuiet(pid: number): Promise<void> {
  for (let before = -Infinity, now = cpuMs(pid); now - before > 100; now = cpuMs(pid)) {
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 3_000));
  }
}
