import { requireStore } from "./claim-store.ts";
import { compactJournal, mergedSegments } from "./compact-journal.ts";
import { journalLeaseMs, type JournalDeps } from "./journal-deps.ts";
import { segmentKey } from "./segment-format.ts";
import { writeSegment } from "./write-segment.ts";

const recordsMax = 1_000;

/**
 * Tells the object store what changed in the metadata, so that lost metadata can be made anew from it. Under
 * a lease: one daemon at a time. A crash at any point leaves something to be written once more, or written
 * twice, which is the same: of several records for one subject the one with the highest number holds.
 */
export async function writeJournal(deps: JournalDeps, signal: AbortSignal): Promise<void> {
  const { id: owner } = deps.session;
  for (;;) {
    signal.throwIfAborted();
    const batch = await deps.metadata.call("takeJournalBatch", {
      owner,
      leaseMs: journalLeaseMs,
      limit: recordsMax,
    });
    if (batch === null) return;
    await requireStore(deps, signal);
    if (batch.records.length > 0)
      await writeSegment(deps.objects, segmentKey(0, batch.segment), batch.records);
    await deps.metadata.call("endJournalBatch", { rows: batch.rows });
    if (batch.segment % mergedSegments === 0) await compactJournal(deps, signal);
    if (batch.rows.length < recordsMax) return;
  }
}
