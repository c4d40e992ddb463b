import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Processes of this machine that belong to a test: in their environment, or what is mounted for them. */
export function processesWith(mark: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) =>
      ["environ", "cmdline", "mountinfo"].some((file) => read(pid, file).includes(mark)),
    )
    .map((pid) => `${pid} ${read(pid, "cmdline").replaceAll("\0", " ")}`);
}

/** Waits until none is left; those that are, when the time is over. */
export async function survivorsWith(mark: string, waitMs: number): Promise<string[]> {
  for (let waitedMs = 0; waitedMs < waitMs; waitedMs += 50) {
    if (processesWith(mark).length === 0) return [];
    await sleep(50);
  }
  return processesWith(mark);
}

/** False for a process that is gone, or dead and not yet waited for. */
export function isRunning(pid: number): boolean {
  const state = /^State:\s+(\w)/m.exec(read(String(pid), "status"))?.[1];
  return state !== undefined && state !== "Z" && state !== "X";
}

/** Number of the process that started it; "" when it is gone. */
export function parentOf(pid: string): string {
  return /^PPid:\s+(\d+)/m.exec(read(pid, "status"))?.[1] ?? "";
}

/** Its environment, as it was when it started; empty when it is gone. */
export function environOf(pid: string): string {
  return read(pid, "environ");
}

/** Empty when the process is gone meanwhile. */
function read(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

/** Threads of processes that nothing can end: in state D, now and half a second later. */
export async function stuckThreads(pids: readonly number[]): Promise<string[]> {
  const before = waitingThreads(pids);
  if (before.length === 0) return [];
  await sleep(500);
  const after = new Set(waitingThreads(pids));
  return before.filter((thread) => after.has(thread));
}

function waitingThreads(pids: readonly number[]): string[] {
  return pids.flatMap((pid) =>
    readdirSync(`/proc/${pid}/task`)
      .map((thread) => `${pid}/task/${thread}`)
      .filter((thread) => /^State:\s+D/m.test(read(thread, "status"))),
  );
}
