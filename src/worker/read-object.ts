import { CodedError, codedErrorFrom } from "../base/errors.ts";
import { KiB, MiB } from "../base/size.ts";
import type { S3Place } from "../model/s3-url.ts";
import type { ObjectPart, OpenBucket, SourceBucket } from "../model/source-bucket.ts";

/** Read behind the end of a range, to find the end of its last record. */
const tailBytesMin = 64 * KiB;
const tailBytesMax = 8 * MiB;
const newline = 0x0a;

/** An object as it was when the job was planned. */
export interface PlannedObject {
  readonly place: S3Place;
  readonly key: string;
  readonly version: string;
}

/** The buckets that a task reads, each opened once. */
export class SourceBuckets {
  private readonly open: OpenBucket | undefined;
  private readonly opened = new Map<string, Promise<SourceBucket>>();

  /** @param open default: this worker reads nothing of S3 */
  constructor(open: OpenBucket | undefined) {
    this.open = open;
  }

  /**
   * The bytes of an object, or of a part of it.
   *
   * @throws CodedError `failed_precondition` when it is not what it was, of which another attempt makes nothing
   *   better (`details.reason` is `input_changed`), or cannot be read
   */
  async *read(
    { place, key, version }: PlannedObject,
    part: Pick<ObjectPart, "start" | "end">,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, void> {
    try {
      const bucket = await this.bucketAt(place);
      yield* bucket.read(key, signal, { ...part, version });
    } catch (error) {
      signal.throwIfAborted();
      throw readError(error, { place, key });
    }
  }

  /** To be called when nothing is read any more. */
  async close(): Promise<void> {
    for (const bucket of this.opened.values()) (await bucket.catch(() => undefined))?.close();
  }

  private async bucketAt(place: S3Place): Promise<SourceBucket> {
    const name = JSON.stringify(place);
    const known = this.opened.get(name);
    if (known !== undefined) return await known;
    if (this.open === undefined) throw new Error("this worker reads nothing of S3");
    const opening = this.open(place);
    this.opened.set(name, opening);
    return await opening;
  }
}

function readError(error: unknown, { place, key }: Omit<PlannedObject, "version">): CodedError {
  const coded = codedErrorFrom(error);
  if (coded.code === "unavailable") return coded;
  if (coded.code !== "aborted" && coded.code !== "not_found")
    return new CodedError("failed_precondition", coded.message, { cause: error });
  const how = coded.code === "aborted" ? "changed" : "was deleted";
  return new CodedError(
    "failed_precondition",
    `Cannot read "${key}" in bucket ${place.bucket}: it ${how} after the job had listed it. Run the job again`,
    { cause: error, details: { reason: "input_changed" } },
  );
}

/** Gives the bytes `[start, end)` of an object. */
export type ReadRange = (start: number, end: number) => AsyncIterable<Uint8Array>;

/**
 * The lines that begin in a range of an object of so many bytes: what ranges that lie side by side give is all of it,
 * each line once. A line that begins before the range and ends behind it is not read to its end.
 */
export async function* linesIn(
  read: ReadRange,
  { start, end, bytes }: { start: number; end: number; bytes: number },
): AsyncGenerator<Uint8Array, void, void> {
  let isIn = start === 0;
  let last = 0;
  // From the byte before: a line begins at the start when that ends one.
  for await (const piece of read(isIn ? 0 : start - 1, end)) {
    if (piece.length === 0) continue;
    const from = isIn ? 0 : piece.indexOf(newline) + 1;
    if (!isIn && from === 0) continue;
    isIn = true;
    last = piece.at(-1)!;
    if (from < piece.length) yield piece.subarray(from);
  }
  // Without a line that begins here there is none to be ended.
  if (!isIn || last === newline) return;
  for (let at = end, size = tailBytesMin; at < bytes; size = Math.min(size * 2, tailBytesMax)) {
    const to = Math.min(bytes, at + size);
    for await (const piece of read(at, to)) {
      const stop = piece.indexOf(newline) + 1;
      yield stop === 0 ? piece : piece.subarray(0, stop);
      if (stop > 0) return;
    }
    at = to;
  }
}
