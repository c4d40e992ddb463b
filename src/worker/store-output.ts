import type { Clock } from "../base/clock.ts";
import type { OutputChange } from "../model/output-change.ts";
import { untilAvailable } from "./until-available.ts";
import type { ClaimedTask, WorkerHost } from "./worker-host.ts";

/**
 * Stores what a task wrote, once the host can be reached. `changes` gives it from the first, each time it is called.
 * Says whether there was anything: a report of success is refused when that is not there.
 */
export async function storeOutput(
  { host, clock }: { readonly host: WorkerHost; readonly clock: Clock },
  task: ClaimedTask,
  changes: () => AsyncIterable<OutputChange>,
  signal: AbortSignal,
): Promise<{ readonly hasOutput: boolean }> {
  let hasOutput = false;
  const noted = (): AsyncIterable<OutputChange> => noting(changes(), () => (hasOutput = true));
  const store = async (): Promise<void> => await host.writeOutput(task, noted, signal);
  await untilAvailable(store, { clock, signal });
  return { hasOutput };
}

/** Says of each as it passes. */
async function* noting<T>(
  items: AsyncIterable<T>,
  note: () => void,
): AsyncGenerator<T, void, void> {
  for await (const item of items) {
    note();
    yield item;
  }
}
