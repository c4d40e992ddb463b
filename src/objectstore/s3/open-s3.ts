import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type S3Client,
  type ListObjectsV2CommandOutput,
} from "@aws-sdk/client-s3";
import { assert } from "../../base/assert.ts";
import { throwIfCancelled } from "../../base/cancelled.ts";
import { CodedError } from "../../base/errors.ts";
import { checkObjectKey } from "../object-key.ts";
import type { ObjectStat, ObjectStore, ObjectWriter } from "../object-store.ts";
import { collected, newS3Client, type S3Address } from "./s3-client.ts";
import { s3Error, statusOf } from "./s3-errors.ts";
import { S3Writer } from "./s3-writer.ts";

/** A store in a bucket. */
export interface S3Options extends S3Address {
  /** In front of every key, "" or ending in `/`. */
  readonly prefix: string;
}

/** Objects in an S3 bucket. Does not look whether it is there. */
export function openS3ObjectStore(options: S3Options): ObjectStore {
  return new S3ObjectStore(options);
}

class S3ObjectStore implements ObjectStore {
  private readonly client: S3Client;
  private readonly bucket: string;
  private readonly prefix: string;
  private closed = false;

  constructor(options: S3Options) {
    this.bucket = options.bucket;
    this.prefix = options.prefix;
    this.client = newS3Client(options);
  }

  async create(key: string, { signal }: { signal?: AbortSignal }): Promise<ObjectWriter> {
    checkObjectKey(key);
    if (this.closed) throw new CodedError("unavailable", "The object store is closed");
    throwIfCancelled(signal);
    const { client, bucket } = this;
    return new S3Writer({ client, bucket, key, name: this.prefix + key, signal });
  }

  async read(
    key: string,
    { start, length }: { start: number; length: number },
    { signal }: { signal?: AbortSignal },
  ): Promise<Buffer> {
    assert(Number.isSafeInteger(start) && start >= 0, "a range starts at a whole number of bytes");
    assert(Number.isSafeInteger(length) && length >= 0, "a range has a whole number of bytes");
    if (length === 0) {
      await this.stat(key, signal === undefined ? {} : { signal });
      return Buffer.alloc(0);
    }
    return await this.attempt("read", key, signal, async (sent) => {
      const range = `bytes=${start}-${start + length - 1}`;
      try {
        const { Body, ContentLength } = await this.client.send(
          new GetObjectCommand({ Bucket: this.bucket, Key: this.prefix + key, Range: range }),
          sent,
        );
        assert(Body !== undefined, "an answer has a body");
        const bytes = await collected(Body as AsyncIterable<Buffer>, ContentLength ?? length);
        throwIfCancelled(signal);
        return bytes;
      } catch (thrown) {
        // The range begins behind the end.
        if (statusOf(thrown) === 416) return Buffer.alloc(0);
        throw thrown;
      }
    });
  }

  async stat(key: string, { signal }: { signal?: AbortSignal }): Promise<ObjectStat> {
    return await this.attempt("find", key, signal, async (sent) => {
      const { ContentLength = 0 } = await this.client.send(
        new HeadObjectCommand({ Bucket: this.bucket, Key: this.prefix + key }),
        sent,
      );
      return { key, bytes: ContentLength };
    });
  }

  async *list(prefix: string, { signal }: { signal?: AbortSignal }): AsyncGenerator<ObjectStat> {
    for (let token: string | undefined; ;) {
      const input = {
        Bucket: this.bucket,
        Prefix: this.prefix + prefix,
        ...(token === undefined ? {} : { ContinuationToken: token }),
      };
      const page: ListObjectsV2CommandOutput = await this.attempt(
        "list",
        undefined,
        signal,
        async (sent) => await this.client.send(new ListObjectsV2Command(input), sent),
      );
      for (const { Key = "", Size = 0 } of page.Contents ?? []) {
        throwIfCancelled(signal);
        yield { key: Key.slice(this.prefix.length), bytes: Size };
      }
      token = page.NextContinuationToken;
      if (page.IsTruncated !== true || token === undefined) return;
    }
  }

  async remove(key: string, { signal }: { signal?: AbortSignal }): Promise<void> {
    await this.attempt("remove", key, signal, async (sent) => {
      await this.client
        .send(new DeleteObjectCommand({ Bucket: this.bucket, Key: this.prefix + key }), sent)
        .catch((thrown: unknown) => {
          const isGone = statusOf(thrown) === 404 && (thrown as Error).name !== "NoSuchBucket";
          if (!isGone) throw thrown;
        });
    });
  }

  async close(): Promise<void> {
    this.closed = true;
    this.client.destroy();
  }

  private async attempt<T>(
    action: string,
    key: string | undefined,
    signal: AbortSignal | undefined,
    work: (sent: { abortSignal?: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    if (key !== undefined) checkObjectKey(key);
    throwIfCancelled(signal);
    try {
      return await work(signal === undefined ? {} : { abortSignal: signal });
    } catch (thrown) {
      throwIfCancelled(signal);
      throw s3Error(thrown, { action, bucket: this.bucket, key: key ?? "" });
    }
  }
}
