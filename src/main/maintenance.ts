import { type CodedError, codedErrorFrom, isCoded } from "../base/errors.ts";
import { resumeFinishes, type PfsDeps } from "../pfs/index.ts";

const everyMs = 2_000;
const journalEveryMs = 10_000;
const forgetEveryMs = 3_600_000;

/**
 * What nobody waits for: packs are indexed, inline chunks drained, the journal written, finishes of dead
 * daemons resumed, old answers forgotten. Runs until the signal fires.
 *
 * @param disowned told when another database has taken the object store over: what is acknowledged from
 *   then on would be garbage to it
 */
export async function runMaintenance(
  pfs: PfsDeps,
  disowned: (error: CodedError) => void,
  signal: AbortSignal,
): Promise<void> {
  let forgetAtMs = 0;
  let journalAtMs = 0;
  while (!signal.aborted) {
    try {
      await resumeFinishes(pfs, signal);
      await pfs.storage.indexPending(signal);
      await pfs.storage.drainInline(signal);
      if (pfs.clock.monotonicMs() >= journalAtMs) {
        await pfs.storage.writeJournal(signal);
        journalAtMs = pfs.clock.monotonicMs() + journalEveryMs;
      }
      if (pfs.clock.monotonicMs() >= forgetAtMs) {
        await pfs.metadata.call("forgetRequests", {});
        forgetAtMs = pfs.clock.monotonicMs() + forgetEveryMs;
      }
    } catch (error) {
      if (isCoded(error, "failed_precondition") && "owner" in error.details) disowned(error);
      if (!signal.aborted)
        pfs.log.warn({ error: codedErrorFrom(error).message }, "maintenance failed; trying again");
    }
    await pfs.clock.sleep(everyMs, signal).catch(() => undefined);
  }
}
