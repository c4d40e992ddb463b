import type { SourceBucket } from "../model/source-bucket.ts";
import type { S3Address } from "./s3/s3-client.ts";

/** Opens a bucket; who does not need one does not load the SDK. */
export async function openBucket(address: S3Address): Promise<SourceBucket> {
  const { S3Bucket } = await import("./s3/s3-bucket.ts");
  return new S3Bucket(address);
}
