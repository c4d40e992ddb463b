import { CodedError } from "../../base/errors.ts";
import type { ProcessFs } from "./process-fs.ts";

/** Marks every process of a run in its environment, which children inherit. */
export const markerName = "MAMMOTH_RUN";

const scansMax = 1_000;

/**
 * Kills every process that carries the marker, until none is left. For machines without namespaces;
 * a process that clears its environment escapes.
 *
 * @throws CodedError `internal` when some cannot be killed
 */
export async function killSurvivors(fs: ProcessFs, marker: string): Promise<void> {
  for (let scan = 0; scan < scansMax; scan++) {
    const found = await marked(fs, marker);
    if (found.length === 0) return;
    for (const pid of found) kill(pid);
  }
  throw new CodedError(
    "internal",
    `Cannot kill what the run ${marker} left behind: processes are stuck in the kernel`,
  );
}

/** Sends SIGKILL to a process, or with a negative id to its group; one that is gone is fine. */
export function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    return;
  }
}

async function marked(fs: ProcessFs, marker: string): Promise<number[]> {
  const wanted = `${markerName}=${marker}`;
  const pids: number[] = [];
  for (const name of await fs.readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    // The dead have no environment, others' may be closed to us: neither is ours.
    const environment = await fs.readFile(`/proc/${name}/environ`, "latin1").catch(() => "");
    if (environment.split("\0").some((variable) => variable.startsWith(wanted)))
      pids.push(Number(name));
  }
  return pids;
}
