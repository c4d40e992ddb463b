import type { Clock } from "../../base/clock.ts";
import { CodedError } from "../../base/errors.ts";
import type { MetadataStore } from "../../metadata/index.ts";

/** A third of what the lease lasts. */
const renewMs = 20_000;

export interface RunLeaseDeps {
  readonly metadata: Pick<MetadataStore, "call">;
  readonly clock: Clock;
}

/**
 * Renews the lease of a run while `work` goes on, however long one of its steps takes. Its signal fires when
 * another daemon has taken the run over, or when the caller's does.
 *
 * @throws CodedError `aborted` when the lease was lost; what `work` throws
 */
export async function withRunLease<T>(
  { metadata, clock }: RunLeaseDeps,
  token: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const lost = new AbortController();
  const renew = async (): Promise<void> => {
    while (!over.signal.aborted) {
      await clock.sleep(renewMs, over.signal).catch(() => undefined);
      if (over.signal.aborted) return;
      // A database that does not answer now may do so in time for the next.
      const isOurs = await metadata.call("beginGarbageRun", { token }).catch(() => true);
      if (isOurs) continue;
      lost.abort(takenOver());
      return;
    }
  };
  const renewing = renew();
  try {
    return await work(AbortSignal.any([signal, lost.signal]));
  } catch (error) {
    // What stops because of it may say so in its own words.
    lost.signal.throwIfAborted();
    throw error;
  } finally {
    over.abort();
    // A renewal on its way would take the lease again once it has been given back.
    await renewing;
  }
}

/** Why a run that lost its lease ends. */
export function takenOver(): CodedError {
  return new CodedError(
    "aborted",
    "Cannot go on collecting garbage: another daemon has taken it over. Wait until its run has ended",
  );
}
