import { isCoded } from "../../base/errors.ts";
import type { JournalRecord } from "../../metadata/index.ts";
import type { ObjectStat, ObjectStore } from "../../objectstore/index.ts";
import { decodeSegment, journalPrefix, segmentOf } from "./segment-format.ts";

/** A segment as it is listed. */
export interface Segment extends ObjectStat {
  readonly level: number;
  readonly number: number;
}

/** All segments, lower levels first. */
export async function listSegments(objects: ObjectStore, signal: AbortSignal): Promise<Segment[]> {
  const segments: Segment[] = [];
  for await (const stat of objects.list(journalPrefix, { signal })) {
    const place = segmentOf(stat.key);
    if (place !== undefined) segments.push({ ...stat, ...place });
  }
  return segments;
}

/**
 * What a segment says; undefined when it has been replaced by another meanwhile.
 *
 * @throws CodedError `data_loss`
 */
export async function readSegment(
  objects: ObjectStore,
  { key, bytes }: Segment,
  signal: AbortSignal,
): Promise<JournalRecord[] | undefined> {
  try {
    return decodeSegment(await objects.read(key, { start: 0, length: bytes }, { signal }));
  } catch (error) {
    if (isCoded(error, "not_found")) return undefined;
    throw error;
  }
}
