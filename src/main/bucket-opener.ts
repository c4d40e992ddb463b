import type { OpenBucket } from "../model/source-bucket.ts";
import { openBucket } from "../objectstore/index.ts";

/** Opens the buckets that s3 urls name, with this machine's credentials; at `endpoint` where a url names none. */
export function bucketOpener(endpoint: string | undefined): OpenBucket {
  return async (place) => await openBucket({ ...place, endpoint: place.endpoint ?? endpoint });
}
