import { isCoded } from "../../src/base/errors.ts";
import type { OutputChange } from "../../src/model/output-change.ts";
import { openLocalPool } from "../../src/pool/index.ts";
import { TaskHost, type PpsDeps } from "../../src/pps/index.ts";
import type { ClaimedTask } from "../../src/worker/index.ts";

const slots = 2;
const reportAgainMs = 1_000;

/** Keeps a daemon's slots busy with a program that copies all that it sees; no process, no disk. */
export function openSimWorker(pps: PpsDeps): void {
  const { clock, hints, log } = pps.pfs;
  const host = new TaskHost(pps);
  const work = async (signal: AbortSignal): Promise<boolean> => {
    const [task] = await host.claim({ worker: pps.session, count: 1, signal });
    if (task === undefined) return false;
    try {
      await runTask(host, task, signal);
    } catch {
      // Nobody's failure; a lease that is lost is somebody else's by then.
      await host.release(task).catch(() => undefined);
    }
    return true;
  };
  const pool = openLocalPool({ slots, work, clock, log });
  hints.listen("tasks", () => pool.hint());

  async function runTask(worker: TaskHost, task: ClaimedTask, signal: AbortSignal): Promise<void> {
    await worker.writeOutput(task, () => copied(worker, task, signal), signal);
    for (;;) {
      try {
        return await worker.report(task, { kind: "success" });
      } catch (error) {
        if (!isCoded(error, "unavailable")) throw error;
        await clock.sleep(reportAgainMs);
      }
    }
  }
}

async function* copied(
  host: TaskHost,
  { inputs }: ClaimedTask,
  signal: AbortSignal,
): AsyncGenerator<OutputChange, void, void> {
  for (const { view } of inputs)
    for await (const { type, path, bytes } of host.listView(view, signal)) {
      const content = (): AsyncIterable<Uint8Array> => host.readFile(view, path, signal);
      if (type === "file") yield { kind: "append", path, bytes, content };
    }
}
