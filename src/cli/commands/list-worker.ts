import type { Command } from "commander";
import type { WorkerInfo } from "../../model/worker.ts";
import type { Context } from "../context.ts";
import { ago } from "../human-time.ts";
import { printList, rawOption, type Listing } from "../listing.ts";

const workerListing: Listing<WorkerInfo> = {
  header: ["NAME", "MACHINE", "VERSION", "RUNNER", "SLOTS", "RUNNING", "STATE", "LAST SEEN"],
  row: (worker, { deps }) => [
    worker.name,
    worker.machine,
    worker.version,
    worker.runner,
    String(worker.slots),
    String(worker.running),
    worker.state,
    ago(worker.seenMicros, deps.clock.nowMicros()),
  ],
};

export function listWorker(command: Command, context: Context): void {
  rawOption(command).action(async ({ raw }: { raw?: boolean }) => {
    printList(context, await (await context.client()).workers.list(), { ...workerListing, raw });
  });
}
