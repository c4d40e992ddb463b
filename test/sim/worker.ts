import { isCoded } from "../../src/base/errors.ts";
import {
  embeddedWorkerHost,
  type EmbeddedWorkerHost,
} from "../../src/main/embedded-worker-host.ts";
import type { OutputChange } from "../../src/model/output-change.ts";
import { openLocalPool } from "../../src/pool/index.ts";
import type { PpsDeps } from "../../src/pps/index.ts";
import type { ClaimedTask } from "../../src/worker/index.ts";

const slots = 2;
const reportAgainMs = 1_000;

/** Keeps a daemon's slots busy with a program that copies all that it sees; no process, no disk. */
export function openSimWorker(pps: PpsDeps): void {
  const { clock, hints, log } = pps.pfs;
  const host = embeddedWorkerHost(pps);
  const work = async (signal: AbortSignal): Promise<boolean> => {
    const [task] = await host.claim({ worker: pps.session, count: 1, signal });
    if (task === undefined) return false;
    await runTask(host, task, signal).catch(() => undefined);
    // A task that was reported is not held any more; one that was not is nobody's failure.
    await host.release(task);
    return true;
  };
  const pool = openLocalPool({ slots, work, clock, log });
  hints.listen("tasks", () => pool.hint());

  async function runTask(
    worker: EmbeddedWorkerHost,
    task: ClaimedTask,
    signal: AbortSignal,
  ): Promise<void> {
    await worker.writeOutput(task, copied(worker, task, signal), signal);
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
  host: EmbeddedWorkerHost,
  { inputs }: ClaimedTask,
  signal: AbortSignal,
): AsyncGenerator<OutputChange, void, void> {
  for (const { view } of inputs)
    for await (const { type, path, bytes } of host.listView(view, signal)) {
      const content = (): AsyncIterable<Uint8Array> => host.readFile(view, path, signal);
      if (type === "file") yield { kind: "append", path, bytes, content };
    }
}
