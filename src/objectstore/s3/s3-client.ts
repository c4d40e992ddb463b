import { S3Client } from "@aws-sdk/client-s3";
import { CodedError } from "../../base/errors.ts";

/** Where a bucket is; credentials come from the usual AWS variables, files and web identity. */
export interface S3Address {
  readonly bucket: string;
  /** `https://host:port` of a store that is not Amazon's; its buckets are addressed by path. */
  readonly endpoint?: string | undefined;
  /** Default: what the AWS variables and files say; with an endpoint, us-east-1. */
  readonly region?: string | undefined;
}

const connectMs = 5_000;
/** A store that says nothing for so long is asked again. */
const silentMs = 30_000;
/** The SDK's own tries, with growing pauses and jitter. */
const triesMax = 5;
const socketsMax = 32;

/** A client of the service that has the bucket. */
export function newS3Client({ endpoint, region }: S3Address): S3Client {
  return new S3Client({
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true, region: "us-east-1" }),
    ...(region === undefined ? {} : { region }),
    maxAttempts: triesMax,
    // Servers that are not Amazon's may know no other checksum than MD5.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: {
      connectionTimeout: connectMs,
      requestTimeout: silentMs,
      throwOnRequestTimeout: true,
      socketTimeout: silentMs,
      httpAgent: { keepAlive: true, maxSockets: socketsMax },
      httpsAgent: { keepAlive: true, maxSockets: socketsMax },
    },
  });
}

/** A body that ends early is refused: it must not be taken for the object. */
export async function collected(body: AsyncIterable<Buffer>, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for await (const part of body) {
    if (at + part.length > length)
      throw new CodedError("unavailable", "The object store sent more bytes than it said");
    at += part.copy(bytes, at);
  }
  if (at === length) return bytes;
  throw new CodedError("unavailable", `The object store sent ${at} bytes instead of ${length}`);
}
