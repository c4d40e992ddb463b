import type { JournalRecord } from "../../metadata/index.ts";
import type { ObjectStore } from "../../objectstore/index.ts";
import { encodeSegment } from "./segment-format.ts";

/** Writes one segment, whole or not at all. */
export async function writeSegment(
  objects: ObjectStore,
  key: string,
  records: readonly JournalRecord[],
): Promise<void> {
  await writeObject(objects, key, encodeSegment(records));
}

/** Writes one small object, whole or not at all. */
export async function writeObject(objects: ObjectStore, key: string, bytes: Buffer): Promise<void> {
  const writer = await objects.create(key, {});
  try {
    await writer.write([bytes]);
    await writer.seal();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}
