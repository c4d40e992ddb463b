import { requireStore } from "./claim-store.ts";
import { compactJournal, mergedSegments } from "./compact-journal.ts";
import { journalLeaseMs, type JournalDeps } from "./journal-deps.ts";
import { segmentKey } from "./segment-format.ts";
import { writeSegment } from "./write-segment.ts";

const recordsMax = 1_000;
/** Whoever else writes waits for one call at most. */
const rowsPerCall = 100;

/**
 * Tells the object store what changed in the metadata, so that lost metadata can be made anew from it. Under
 * a lease: one daemon at a time. A crash at any point leaves something to be written once more, or written
 * twice, which is the same: of several records for one subject the one with the highest number holds.
 */
export async function writeJournal(deps: JournalDeps, signal: AbortSignal): Promise<void> {
  const { id: owner } = deps.session;
  for (;;) {
    signal.throwIfAborted();
    if (!(await hasChanges(deps))) return;
    const segment = await deps.metadata.call("takeSegment", { owner, leaseMs: journalLeaseMs });
    if (segment === null) return;
    const { records, rows } = await deps.metadata.call("readJournalBatch", { limit: recordsMax });
    await requireStore(deps, signal);
    if (records.length > 0) await writeSegment(deps.objects, segmentKey(0, segment), records);
    for (let at = 0; at < rows.length; at += rowsPerCall)
      await deps.metadata.call("endJournalBatch", { rows: rows.slice(at, at + rowsPerCall) });
    if (segment % mergedSegments === 0) await compactJournal(deps, signal);
    if (rows.length < recordsMax) return;
  }
}

/** Whether there is something to write: most of the time there is not, and no lease is needed to know. */
async function hasChanges({ metadata }: JournalDeps): Promise<boolean> {
  return (await metadata.call("readJournalBatch", { limit: 1 })).rows.length > 0;
}
