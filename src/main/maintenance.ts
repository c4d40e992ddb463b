import { type CodedError, codedErrorFrom, isCoded } from "../base/errors.ts";
import { resumeFinishes, type PfsDeps } from "../pfs/index.ts";

const everyMs = 2_000;
const journalEveryMs = 10_000;
const forgetEveryMs = 3_600_000;
/** In an hour. */
const uploadsForgottenMax = 10_000;
const trimEveryMs = 120_000;

/**
 * What nobody waits for: packs are indexed, inline chunks drained, the journal written, finishes of dead
 * daemons resumed, old answers forgotten, logs kept below `logBytesMax`. Runs until the signal fires.
 *
 * `disowned` is told when another database has taken the object store over: what is acknowledged from
 * then on would be garbage to it.
 */
export async function runMaintenance(
  pfs: PfsDeps,
  { disowned, logBytesMax }: { disowned: (error: CodedError) => void; logBytesMax: number },
  signal: AbortSignal,
): Promise<void> {
  let forgetAtMs = 0;
  let trimAtMs = 0;
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
        await pfs.metadata.call("forgetUploads", { limit: uploadsForgottenMax });
        forgetAtMs = pfs.clock.monotonicMs() + forgetEveryMs;
      }
      if (pfs.clock.monotonicMs() >= trimAtMs) {
        const removed = await pfs.metadata.call("trimLogs", { bytesMax: logBytesMax });
        // One call removes so many; the rest goes with the next look.
        trimAtMs = pfs.clock.monotonicMs() + (removed > 0 ? 0 : trimEveryMs);
      }
    } catch (error) {
      if (isCoded(error, "failed_precondition") && "owner" in error.details) disowned(error);
      if (!signal.aborted)
        pfs.log.warn({ error: codedErrorFrom(error).message }, "maintenance failed; trying again");
    }
    await pfs.clock.sleep(everyMs, signal).catch(() => undefined);
  }
}
