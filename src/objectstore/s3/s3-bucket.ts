import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  type S3Client,
} from "@aws-sdk/client-s3";
import { assert } from "../../base/assert.ts";
import { throwIfCancelled } from "../../base/cancelled.ts";
import { CodedError, isCoded } from "../../base/errors.ts";
import { MiB } from "../../base/size.ts";
import type { Bucket } from "../bucket.ts";
import { collected, newS3Client, type S3Address } from "./s3-client.ts";
import { s3Error, statusOf } from "./s3-errors.ts";

const partBytesMax = 8 * MiB;
/** Of a part whose body breaks off: the SDK's own tries end where a body begins. */
const triesMax = 3;

/** A bucket of somebody else's, to be read from, whatever its objects are called. */
export class S3Bucket implements Bucket {
  private readonly client: S3Client;
  private readonly bucket: string;

  constructor(address: S3Address) {
    this.bucket = address.bucket;
    this.client = newS3Client(address);
  }

  async *read(key: string, signal: AbortSignal): AsyncGenerator<Buffer, void, void> {
    const object = { Bucket: this.bucket, Key: key };
    const { ContentLength = 0, ETag } = await this.attempt("read", key, signal, (sent) =>
      this.client.send(new HeadObjectCommand(object), sent),
    );
    for (let start = 0; start < ContentLength; start += partBytesMax) {
      const length = Math.min(partBytesMax, ContentLength - start);
      const part = { ...object, Range: `bytes=${start}-${start + length - 1}`, IfMatch: ETag };
      yield await this.part(part, length, signal);
    }
  }

  async *keys(prefix: string, signal: AbortSignal): AsyncGenerator<string, void, void> {
    for (let token: string | undefined; ;) {
      const input = {
        Bucket: this.bucket,
        Prefix: prefix,
        ...(token === undefined ? {} : { ContinuationToken: token }),
      };
      const page: ListObjectsV2CommandOutput = await this.attempt("list", "", signal, (sent) =>
        this.client.send(new ListObjectsV2Command(input), sent),
      );
      for (const { Key = "" } of page.Contents ?? []) yield Key;
      token = page.NextContinuationToken;
      if (page.IsTruncated !== true || token === undefined) return;
    }
  }

  close(): void {
    this.client.destroy();
  }

  private async part(
    part: { Bucket: string; Key: string; Range: string; IfMatch: string | undefined },
    length: number,
    signal: AbortSignal,
  ): Promise<Buffer> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.attempt("read", part.Key, signal, async (sent) => {
          const { Body } = await this.client.send(new GetObjectCommand(part), sent);
          assert(Body !== undefined, "an answer has a body");
          return await collected(Body as AsyncIterable<Buffer>, length);
        });
      } catch (error) {
        if (tries === triesMax || !isCoded(error, "unavailable")) throw error;
      }
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

function changed(bucket: string, key: string): CodedError {
  return new CodedError(
    "aborted",
    `Cannot read "${key}" in bucket ${bucket}: it changed while it was read. Put it again`,
    { details: { bucket, key } },
  );
}
