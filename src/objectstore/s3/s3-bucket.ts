import {
  GetObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  type S3Client,
} from "@aws-sdk/client-s3";
import { assert } from "../../base/assert.ts";
import { throwIfCancelled } from "../../base/cancelled.ts";
import { CodedError, isCoded } from "../../base/errors.ts";
import { MiB } from "../../base/size.ts";
import type { S3Place } from "../../model/s3-url.ts";
import type { ListedObject, ObjectPart, SourceBucket } from "../../model/source-bucket.ts";
import { collected, newS3Client, type S3Address } from "./s3-client.ts";
import { s3Error, statusOf } from "./s3-errors.ts";

const partBytesMax = 8 * MiB;
/** Of a part whose body breaks off: the SDK's own tries end where a body begins. */
const triesMax = 3;

interface ObjectRange {
  readonly key: string;
  readonly start: number;
  readonly length: number;
  /** Another version is refused. Undefined: any. */
  readonly version?: string | undefined;
}

interface FetchedPart {
  readonly bytes: Buffer;
  /** Bytes of the whole object. */
  readonly total: number;
  readonly version: string | undefined;
}

/** A bucket of somebody else's, to be read from, whatever its objects are called. */
export class S3Bucket implements SourceBucket {
  readonly place: S3Place;
  private readonly client: S3Client;
  private readonly bucket: string;

  constructor(address: S3Address) {
    const { bucket, endpoint, region } = address;
    this.place = { bucket, endpoint, region };
    this.bucket = address.bucket;
    this.client = newS3Client(address);
  }

  async *read(
    key: string,
    signal: AbortSignal,
    { start: from = 0, end = Number.MAX_SAFE_INTEGER, version: wanted }: ObjectPart = {},
  ): AsyncGenerator<Buffer, void, void> {
    assert(key !== "", "a read of no key is a list of the bucket");
    let version = wanted;
    for (let start = from, total = end; start < Math.min(end, total);) {
      const length = Math.min(partBytesMax, end - start);
      const part = await this.part({ key, start, length, version }, signal);
      version = part.version;
      total = part.total;
      yield part.bytes;
      start += part.bytes.length;
    }
  }

  async *list(prefix: string, signal: AbortSignal): AsyncGenerator<ListedObject, void, void> {
    for (let token: string | undefined; ;) {
      const input = {
        Bucket: this.bucket,
        Prefix: prefix,
        ...(token === undefined ? {} : { ContinuationToken: token }),
      };
      const page: ListObjectsV2CommandOutput = await this.attempt("list", "", signal, (sent) =>
        this.client.send(new ListObjectsV2Command(input), sent),
      );
      for (const { Key: key = "", Size: bytes = 0, ...facts } of page.Contents ?? [])
        yield { key, bytes, version: versionOf(facts) };
      token = page.NextContinuationToken;
      if (page.IsTruncated !== true || token === undefined) return;
    }
  }

  close(): void {
    this.client.destroy();
  }

  private async part(range: ObjectRange, signal: AbortSignal): Promise<FetchedPart> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.attempt("read", range.key, signal, (sent) => this.get(range, sent));
      } catch (error) {
        if (tries === triesMax || !isCoded(error, "unavailable")) throw error;
      }
    }
  }

  private async get(
    { key, start, length, version }: ObjectRange,
    sent: { abortSignal: AbortSignal },
  ): Promise<FetchedPart> {
    const command = new GetObjectCommand({
      Bucket: this.bucket,
      Key: key,
      Range: `bytes=${start}-${start + length - 1}`,
      IfMatch: version?.startsWith('"') === true ? version : undefined,
    });
    try {
      const answer = await this.client.send(command, sent);
      const { Body, ContentLength, ContentRange } = answer;
      const found = versionOf(answer);
      if (version !== undefined && found !== version) throw changed(this.bucket, key);
      const [, from, total = Number.NaN] =
        ContentRange === undefined
          ? ["", 0, ContentLength]
          : (/^bytes (\d+)-\d+\/(\d+)$/.exec(ContentRange) ?? []);
      const isAsked = Number(from) === start && Number(total) >= 0;
      // It would be asked for again and again.
      const isStuck = ContentLength === 0 && Number(total) > start;
      if (
        Body === undefined ||
        ContentLength === undefined ||
        ContentLength > length ||
        !isAsked ||
        isStuck
      )
        throw new CodedError(
          "unavailable",
          `Cannot read "${key}" in bucket ${this.bucket}: the store sends something else. Put it again`,
        );
      const bytes = await collected(Body as AsyncIterable<Buffer>, ContentLength);
      return { bytes, total: Number(total), version: found };
    } catch (thrown) {
      // No first byte: the object is empty.
      if (statusOf(thrown) !== 416 || start > 0) throw thrown;
      return { bytes: Buffer.alloc(0), total: 0, version };
    }
  }

  private async attempt<T>(
    action: string,
    key: string,
    signal: AbortSignal,
    work: (sent: { abortSignal: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    throwIfCancelled(signal);
    try {
      return await work({ abortSignal: signal });
    } catch (thrown) {
      throwIfCancelled(signal);
      if (statusOf(thrown) === 412) throw changed(this.bucket, key);
      throw s3Error(thrown, { action, bucket: this.bucket, key });
    }
  }
}

/** What tells a version of an object from others: its ETag, as it is sent; else a time, which is better than nothing. */
function versionOf({
  ETag = "",
  LastModified,
}: {
  ETag?: string | undefined;
  LastModified?: Date | undefined;
}): string {
  if (ETag !== "") return `"${ETag.replaceAll('"', "")}"`;
  return LastModified?.toUTCString() ?? "";
}

function changed(bucket: string, key: string): CodedError {
  return new CodedError(
    "aborted",
    `Cannot read "${key}" in bucket ${bucket}: it changed while it was read. Put it again`,
    { details: { bucket, key } },
  );
}
