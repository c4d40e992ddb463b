import type { ObjectStat } from "./object-store.ts";
import type { S3Address } from "./s3/s3-client.ts";

/** Objects of somebody else's, to be read from. */
export interface Bucket {
  /**
   * An object's bytes, in parts: all of one version, or an error.
   *
   * @throws CodedError `not_found`, `permission_denied`, `unavailable`; `aborted` when it changes meanwhile
   */
  read(key: string, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Objects whose key starts with `prefix`, in order. */
  list(prefix: string, signal: AbortSignal): AsyncIterable<ObjectStat>;
  /** Gives up its connections. */
  close(): void;
}

/** Opens a bucket; who does not need one does not load the SDK. */
export async function openBucket(address: S3Address): Promise<Bucket> {
  const { S3Bucket } = await import("./s3/s3-bucket.ts");
  return new S3Bucket(address);
}
