import { createHash } from "node:crypto";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { throwIfCancelled } from "../../base/cancelled.ts";
import { CodedError } from "../../base/errors.ts";
import { MiB } from "../../base/size.ts";
import type { ObjectWriter } from "../object-store.ts";
import { s3Error, statusOf } from "./s3-errors.ts";

/** A longer object is uploaded in parts of this size; the last may be smaller. */
const partBytes = 8 * MiB;
/** Parts of one object on their way. */
const partsMax = 2;

export interface S3WriterDeps {
  readonly client: S3Client;
  readonly bucket: string;
  /** With the prefix of the store. */
  readonly name: string;
  /** As the caller knows it. */
  readonly key: string;
  readonly signal: AbortSignal | undefined;
}

/** An object on its way: one request when it is small, else parts as they fill. */
export class S3Writer implements ObjectWriter {
  private readonly deps: S3WriterDeps;
  private part = Buffer.allocUnsafeSlow(0);
  private filled = 0;
  private bytes = 0;
  private uploadId: string | undefined;
  private readonly etags: string[] = [];
  private readonly uploading = new Set<Promise<void>>();
  private failure: { readonly error: unknown } | undefined;
  private isOver = false;

  constructor(deps: S3WriterDeps) {
    this.deps = deps;
  }

  async write(parts: readonly Uint8Array[]): Promise<void> {
    await this.attempt(async () => {
      for (const bytes of parts) {
        for (let at = 0; at < bytes.length;) {
          if (this.filled === partBytes) await this.uploadPart();
          at += this.take(bytes.subarray(at));
        }
      }
    });
  }

  async seal(): Promise<void> {
    await this.attempt(async () => {
      if (this.uploadId === undefined) await this.putWhole();
      else {
        await this.uploadPart();
        await Promise.all(this.uploading);
        this.throwIfFailed();
        await this.complete(this.uploadId);
      }
    });
    this.isOver = true;
  }

  async abort(): Promise<void> {
    this.isOver = true;
    this.part = Buffer.allocUnsafeSlow(0);
    await Promise.allSettled(this.uploading);
    if (this.uploadId === undefined) return;
    const { client, bucket, name } = this.deps;
    const upload = { Bucket: bucket, Key: name, UploadId: this.uploadId };
    // What cannot be taken back now, the bucket's own rules remove.
    await client.send(new AbortMultipartUploadCommand(upload)).catch(() => undefined);
    this.uploadId = undefined;
  }

  private async attempt(work: () => Promise<void>): Promise<void> {
    const { bucket, key, signal } = this.deps;
    if (this.isOver)
      throw new CodedError(
        "failed_precondition",
        `Cannot write object "${key}": it has been ended`,
      );
    try {
      throwIfCancelled(signal);
      this.throwIfFailed();
      await work();
    } catch (thrown) {
      this.failure ??= { error: thrown };
      throw s3Error(thrown, { action: "write", bucket, key });
    }
  }

  private throwIfFailed(): void {
    if (this.failure !== undefined) throw this.failure.error;
  }

  /** Copies what fits into the part. */
  private take(bytes: Uint8Array): number {
    const wanted = Math.min(partBytes, this.filled + bytes.length);
    if (this.part.length < wanted) {
      const larger = Buffer.allocUnsafeSlow(
        Math.min(partBytes, Math.max(wanted, 2 * this.part.length)),
      );
      this.part.copy(larger, 0, 0, this.filled);
      this.part = larger;
    }
    const taken = Math.min(bytes.length, partBytes - this.filled);
    this.part.set(bytes.subarray(0, taken), this.filled);
    this.filled += taken;
    this.bytes += taken;
    return taken;
  }

  private async putWhole(): Promise<void> {
    const { client, bucket, name } = this.deps;
    const body = this.part.subarray(0, this.filled);
    await client.send(
      new PutObjectCommand({ Bucket: bucket, Key: name, Body: body, ContentMD5: md5(body) }),
      this.sendOptions(),
    );
  }

  private async uploadPart(): Promise<void> {
    const { client, bucket, name } = this.deps;
    const upload = { Bucket: bucket, Key: name };
    if (this.uploadId === undefined) {
      const { UploadId } = await client.send(
        new CreateMultipartUploadCommand(upload),
        this.sendOptions(),
      );
      this.uploadId = UploadId;
    }
    const body = this.part.subarray(0, this.filled);
    this.part = Buffer.allocUnsafeSlow(partBytes);
    this.filled = 0;
    const number = this.etags.push("");
    const part = {
      ...upload,
      UploadId: this.uploadId,
      PartNumber: number,
      Body: body,
      ContentMD5: md5(body),
    };
    const sending: Promise<void> = client
      .send(new UploadPartCommand(part), this.sendOptions())
      .then(
        ({ ETag = "" }) => {
          this.etags[number - 1] = ETag;
        },
        (error: unknown) => {
          this.failure ??= { error };
        },
      )
      .finally(() => this.uploading.delete(sending));
    this.uploading.add(sending);
    if (this.uploading.size >= partsMax) await Promise.race(this.uploading);
    this.throwIfFailed();
  }

  private async complete(uploadId: string): Promise<void> {
    const { client, bucket, name } = this.deps;
    const Parts = this.etags.map((ETag, index) => ({ ETag, PartNumber: index + 1 }));
    const upload = { Bucket: bucket, Key: name, UploadId: uploadId, MultipartUpload: { Parts } };
    try {
      await client.send(new CompleteMultipartUploadCommand(upload), this.sendOptions());
    } catch (thrown) {
      // Its answer may have been lost: a second try then finds no upload, but the object.
      if (statusOf(thrown) !== 404 || !(await this.isThere())) throw thrown;
    }
    this.uploadId = undefined;
  }

  private async isThere(): Promise<boolean> {
    const { client, bucket, name } = this.deps;
    const { ContentLength } = await client.send(
      new HeadObjectCommand({ Bucket: bucket, Key: name }),
      this.sendOptions(),
    );
    return ContentLength === this.bytes;
  }

  private sendOptions(): { abortSignal?: AbortSignal } {
    const { signal } = this.deps;
    return signal === undefined ? {} : { abortSignal: signal };
  }
}

/** The store compares it with what arrived; every S3 server knows this one. */
function md5(body: Buffer): string {
  return createHash("md5").update(body).digest("base64");
}
