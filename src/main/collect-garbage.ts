import { codedErrorFrom, isCoded } from "../base/errors.ts";
import { localPrincipal } from "../model/principal.ts";
import { WholeStore, type PfsDeps } from "../pfs/index.ts";

const lookEveryMs = 60_000;

/** Runs garbage collection when it is due, until the signal fires. One daemon of many does each run. */
export async function runGarbageCollection(
  pfs: PfsDeps,
  everyMs: number,
  signal: AbortSignal,
): Promise<void> {
  if (everyMs === 0) return;
  const store = new WholeStore(pfs);
  while (!signal.aborted) {
    await pfs.clock.sleep(Math.min(lookEveryMs, everyMs), signal).catch(() => undefined);
    if (signal.aborted) return;
    try {
      const report = await store.collectDueGarbage(localPrincipal, { everyMs, signal });
      if (report !== undefined) pfs.log.info({ ...report }, "garbage has been collected");
    } catch (error) {
      const isBusy = isCoded(error, "failed_precondition");
      if (!signal.aborted && !isBusy)
        pfs.log.warn({ error: codedErrorFrom(error).message }, "garbage could not be collected");
    }
  }
}
