import type { ObjectStore } from "./object-store.ts";
import type { S3Options } from "./s3/open-s3.ts";

/** Opens a store in an S3 bucket; who does not need it does not load the SDK. */
export async function openS3ObjectStore(options: S3Options): Promise<ObjectStore> {
  const adapter = await import("./s3/open-s3.ts");
  return adapter.openS3ObjectStore(options);
}
