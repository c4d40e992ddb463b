import { readFileSync } from "node:fs";
import type { Bed, Row } from "./bench.ts";
import { send } from "./http.ts";
import { randomBytes } from "./inputs.ts";
import { msOf } from "./measure.ts";
import { peakMemory } from "./programs.ts";

const sampleMs = 250;

/** The memory of a daemon, worker included, while a job copies one large file; it must not grow with the file. */
export async function* jobMemory({
  client,
  daemon,
  full,
  sizeBytes,
}: Bed): AsyncGenerator<Row, void, void> {
  const bytes = sizeBytes ?? (full ? 10 * 2 ** 30 : 2 ** 28);
  await client.repos.create("large");
  const api = `http://${daemon.address}/api/v1/repos/large/branches`;
  const jobOf = async (branch: string, size: number): Promise<number[]> => {
    await send(`${api}/${branch}/files/file`, randomBytes(size));
    const resident: number[] = [];
    const sampling = setInterval(() => resident.push(residentMemory(daemon.pid)), sampleMs);
    const ms = await msOf(async () => {
      const job = await client.jobs.create({
        transform: { cmd: ["cp", "/pfs/large/file", "/pfs/out/copy"] },
        inputs: [{ commit: { repo: { name: "large" }, id: branch } }],
      });
      const { state, error } = await client.jobs.wait(job.id);
      if (state !== "success") throw new Error(`the job that copies is a ${state}: ${error}`);
    });
    clearInterval(sampling);
    times.push(ms / 1_000);
    return resident;
  };
  const times: number[] = [];
  const small = await jobOf("small", Math.ceil(bytes / 4));
  const large = await jobOf("large", bytes);
  const [quarter, whole] = [bytes / 2 ** 22, bytes / 2 ** 20].map(
    (size) => `${Math.ceil(size)} MiB`,
  );
  const peer = { what: `of ${quarter}`, values: small };
  yield {
    what: `memory of pachd during a job that copies ${whole}`,
    unit: "MB",
    values: large,
    peer,
  };
  yield { what: "the most it ever had", unit: "MB", values: [peakMemory(daemon.pid)] };
  yield {
    what: "time of that job",
    unit: "s",
    values: times.slice(1),
    peer: { what: `of ${quarter}`, values: times.slice(0, 1) },
  };
}

/** The memory that a process has now, in megabytes (10^6). */
function residentMemory(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return (Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1_024) / 1e6;
}
