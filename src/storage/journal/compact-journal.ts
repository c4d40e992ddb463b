import { nextTurn } from "../../base/next-turn.ts";
import { randomBelow } from "../../base/random.ts";
import { KiB, MiB } from "../../base/size.ts";
import type { JournalRecord } from "../../metadata/index.ts";
import { journalLeaseMs, type JournalDeps } from "./journal-deps.ts";
import { listSegments, readSegment, type Segment } from "./read-journal.ts";
import { segmentKey } from "./segment-format.ts";
import { writeSegment } from "./write-segment.ts";

/** So many segments of a level are made one of the next. */
export const mergedSegments = 32;
/** One that is longer stays as it is. */
const segmentBytesMax = 512 * KiB;
/** Those made one are no longer together: they are read and written on the thread that serves requests. */
const mergedBytesMax = 2 * MiB;
const levelMax = 9;
const recordsPerCall = 500;

/**
 * Makes many small segments one, level by level, and looks through one of those above the lowest, by
 * chance: what it tells of deleted things is left out when it is half of it or more. New segments are
 * there before old ones go.
 */
export async function compactJournal(deps: JournalDeps, signal: AbortSignal): Promise<void> {
  for (let level = 0; level < levelMax;) {
    const small = smallSegments(await listSegments(deps.objects, signal), level);
    if (small.length < (level === 0 ? 2 : mergedSegments)) level++;
    else if (!(await replace(deps, small, { level: level + 1, deadMin: 0 }, signal))) return;
  }
  const large = (await listSegments(deps.objects, signal)).filter(({ level }) => level > 0);
  if (large.length === 0) return;
  const one = large[randomBelow(deps.random, large.length)]!;
  await replace(deps, [one], { level: one.level, deadMin: 0.5 }, signal);
}

/** The oldest of a level that are to be made one. */
function smallSegments(segments: readonly Segment[], level: number): Segment[] {
  const small: Segment[] = [];
  let left = mergedBytesMax;
  for (const segment of segments) {
    if (segment.level !== level || segment.bytes > segmentBytesMax) continue;
    left -= segment.bytes;
    if (left < 0 || small.length >= 2 * mergedSegments) break;
    small.push(segment);
  }
  return small;
}

/**
 * @param deadMin the part that must be superseded or of deleted things; otherwise nothing is done
 * @returns whether it was done
 */
async function replace(
  deps: JournalDeps,
  segments: readonly Segment[],
  { level, deadMin }: { level: number; deadMin: number },
  signal: AbortSignal,
): Promise<boolean> {
  const all: JournalRecord[] = [];
  for (const segment of segments) {
    const records = await readSegment(deps.objects, segment, signal);
    // Somebody else is at it.
    if (records === undefined) return false;
    all.push(...records);
    await nextTurn();
  }
  const kept = await keepTrue(deps, newestOf(all));
  if (all.length - kept.length < all.length * deadMin) return false;
  const number = await deps.metadata.call("takeSegment", {
    owner: deps.session.id,
    leaseMs: journalLeaseMs,
  });
  if (number === null) return false;
  if (kept.length > 0) await writeSegment(deps.objects, segmentKey(level, number), kept);
  for (const { key } of segments) await deps.objects.remove(key, { signal });
  return true;
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
