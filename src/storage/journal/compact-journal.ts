import type { JournalRecord } from "../../metadata/index.ts";
import { journalLeaseMs, type JournalDeps } from "./journal-deps.ts";
import { listSegments, readSegment, type Segment } from "./read-journal.ts";
import { segmentKey } from "./segment-format.ts";
import { writeSegment } from "./write-segment.ts";

/** Segments of level 0 that are made one at a time: some tens of MiB in memory. */
const mergedMax = 64;
const recordsPerCall = 500;

/**
 * Makes the many small segments one, and looks through one of those above, by chance: what it tells of
 * deleted things is left out when it is half of it or more. New segments are there before old ones go.
 */
export async function compactJournal(deps: JournalDeps, signal: AbortSignal): Promise<void> {
  const segments = await listSegments(deps.objects, signal);
  const small = segments.filter(({ level }) => level === 0).slice(0, mergedMax);
  if (small.length > 1) await replace(deps, small, 0, signal);
  const large = segments.filter(({ level }) => level > 0);
  if (large.length === 0) return;
  const one = large[deps.random.bytes(4).readUInt32LE() % large.length]!;
  await replace(deps, [one], 0.5, signal);
}

/** @param deadMin the part that must be of deleted things; otherwise nothing is done */
async function replace(
  deps: JournalDeps,
  segments: readonly Segment[],
  deadMin: number,
  signal: AbortSignal,
): Promise<void> {
  const all: JournalRecord[] = [];
  for (const segment of segments) {
    const records = await readSegment(deps.objects, segment, signal);
    // Somebody else is at it.
    if (records === undefined) return;
    all.push(...records);
  }
  const kept = await keepTrue(deps, newestOf(all));
  if (all.length - kept.length < all.length * deadMin) return;
  const number = await deps.metadata.call("takeSegment", {
    owner: deps.session.id,
    leaseMs: journalLeaseMs,
  });
  if (number === null) return;
  if (kept.length > 0) await writeSegment(deps.objects, segmentKey(1, number), kept);
  for (const { key } of segments) await deps.objects.remove(key, { signal });
}

/** Of several records for one subject the newest. */
export function newestOf(records: readonly JournalRecord[]): JournalRecord[] {
  const newest = new Map<string, JournalRecord>();
  for (const record of records) {
    const subject = `${record.kind} ${record.subject}`;
    const known = newest.get(subject);
    if (known === undefined || known.number < record.number) newest.set(subject, record);
  }
  return [...newest.values()];
}

async function keepTrue(
  { metadata }: JournalDeps,
  records: readonly JournalRecord[],
): Promise<JournalRecord[]> {
  const kept: JournalRecord[] = [];
  for (let at = 0; at < records.length; at += recordsPerCall) {
    const some = records.slice(at, at + recordsPerCall);
    const answers = await metadata.call("stillTrue", { records: some });
    kept.push(...some.filter((_, index) => answers[index]));
  }
  return kept;
}
