import type { Clock } from "../base/clock.ts";
import { codedErrorFrom } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { WorkerFacts } from "../model/worker.ts";
import type { Worker } from "./open-worker.ts";
import type { WorkerHost } from "./worker-host.ts";

const everyMs = 3_000;

/**
 * Says every three seconds that the worker is here, and kills the tasks that are no longer its own, until the
 * signal fires. A host that is away is asked again.
 */
export async function keepRegistered(
  options: { host: WorkerHost; worker: Worker; clock: Clock; log: Log },
  facts: () => WorkerFacts,
  signal: AbortSignal,
): Promise<void> {
  const { host, worker, clock, log } = options;
  while (!signal.aborted) {
    try {
      for (const token of await host.keep(facts(), worker.tokens())) worker.drop(token);
    } catch (error) {
      if (!signal.aborted)
        log.debug({ error: codedErrorFrom(error).message }, "The worker could not be registered");
    }
    await clock.sleep(everyMs, signal).catch(() => undefined);
  }
}
