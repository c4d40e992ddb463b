import { codedErrorFrom } from "../base/errors.ts";
import type { PfsDeps } from "../pfs/index.ts";
import type { Storage } from "../storage/index.ts";

const everyMs = 2_000;

/** Says every two seconds that this daemon is still here, until the signal fires. */
export async function keepSession(
  { storage, clock, log }: PfsDeps,
  facts: Parameters<Storage["renewSession"]>[0],
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(everyMs, signal).catch(() => undefined);
    if (signal.aborted) return;
    await storage.renewSession(facts).catch((error: unknown) => {
      log.warn({ error: codedErrorFrom(error).message }, "the session could not be renewed");
    });
  }
}
