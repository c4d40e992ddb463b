import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** Why no process can be traced here; undefined when one can. */
export function whyNoStrace(): string | undefined {
  const { error, status, stderr } = spawnSync("strace", ["-o", "/dev/null", "true"], {
    encoding: "utf8",
  });
  if (error !== undefined) return "strace is missing";
  return status === 0 ? undefined : `strace does not work here: ${stderr.split("\n")[0]}`;
}

/** Threads of a process by the name that its program gave them, oldest first. */
export function threadsOf(pid: number, name: string): number[] {
  const folder = `/proc/${pid}/task`;
  const named = readdirSync(folder)
    .map(Number)
    .filter((tid) => readFileSync(`${folder}/${tid}/comm`, "utf8").trim() === name);
  // Not by number alone: numbers begin anew when they have become too large.
  const startOf = (tid: number): number =>
    Number(readFileSync(`${folder}/${tid}/stat`, "utf8").split(") ")[1]?.split(" ")[19]);
  return named.toSorted((a, b) => startOf(a) - startOf(b) || a - b);
}

/** Where a fault is put: into the `when`-th `call` of a thread (`5+`: that and all later ones). */
export interface FaultPlace {
  readonly call: string;
  readonly when: number | string;
  /** As strace says it: `signal=SIGKILL`, `error=EIO`, `retval=0`. */
  readonly fault: string;
}

/** Kills a thread's process when the thread is about to make its `when`-th `call`; resolves once that is armed. */
export async function killAtCall(
  tid: number,
  { call, when }: { call: string; when: number },
): Promise<ChildProcess> {
  return await armFault(tid, { call, when, fault: "signal=SIGKILL" });
}

/** Puts a fault into a call of a thread; resolves once that is armed. With a log, strace writes the calls there. */
export async function armFault(
  tid: number,
  { call, when, fault }: FaultPlace,
  log?: string,
): Promise<ChildProcess> {
  const inject = `inject=${call}:${fault}:when=${when}`;
  const output = log === undefined ? [] : ["-o", log];
  const args = [...output, "-p", String(tid), "-e", `trace=${call}`, "-e", inject];
  const strace = spawn("strace", args, { stdio: ["ignore", "ignore", "pipe"] });
  await new Promise<void>((resolve, reject) => {
    let said = "";
    strace.stderr.on("data", (bytes: Buffer) => {
      said += bytes.toString();
      if (/attached/.test(said)) resolve();
    });
    strace.once("exit", () => {
      reject(new Error(`strace ended: ${said}`));
    });
  });
  return strace;
}
