import { CodedError, codedErrorFrom } from "../../base/errors.ts";

/** What was being done, and where. */
export interface S3Attempt {
  readonly action: string;
  readonly bucket: string;
  readonly key: string;
}

const unreachable = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ERR_SSL_WRONG_VERSION_NUMBER",
]);

/** The CodedError for anything the store or the way to it threw. */
export function s3Error(thrown: unknown, { action, bucket, key }: S3Attempt): CodedError {
  if (thrown instanceof CodedError) return thrown;
  if (!(thrown instanceof Error)) return codedErrorFrom(thrown);
  if (thrown.name === "AbortError") return codedErrorFrom(thrown);
  const where = key === "" ? `bucket ${bucket}` : `"${key}" in bucket ${bucket}`;
  const coded = (code: CodedError["code"], message: string): CodedError =>
    new CodedError(code, `Cannot ${action} ${where}: ${message}`, {
      cause: thrown,
      details: { bucket, key },
    });
  const { name } = thrown;
  const status = statusOf(thrown);
  if (name === "NoSuchBucket")
    return coded("failed_precondition", "there is no such bucket. Make it, or name another");
  if (name === "NoSuchKey" || name === "NotFound" || status === 404)
    return coded("not_found", "there is no such object");
  if (name === "CredentialsProviderError")
    return coded(
      "permission_denied",
      "no credentials were found. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile",
    );
  if (name === "RequestTimeTooSkewed")
    return coded("permission_denied", "the clock of this machine is wrong. Set it");
  if (name === "QuotaExceeded" || name === "InsufficientStorage" || status === 507)
    return coded("resource_exhausted", "the store is full. Free space there, then try again");
  if (status === 301 || status === 307 || name === "AuthorizationHeaderMalformed")
    return coded(
      "failed_precondition",
      `the bucket is in another region (${name}). Add ?region=… to its address`,
    );
  if (status === 401 || status === 403)
    return coded(
      "permission_denied",
      `the store refuses (${name}). Look at the keys and what they may do in this bucket`,
    );
  const code = "code" in thrown ? String(thrown.code) : "";
  const isAway =
    unreachable.has(code) ||
    // A gateway to a file system, when two requests meet in a folder that one of them empties: no key of
    // ours is a folder.
    name === "ExistingObjectIsDirectory" ||
    status === 429 ||
    status >= 500 ||
    /time.?out|aborted|socket|network/i.test(`${name} ${thrown.message}`);
  if (isAway)
    return coded(
      "unavailable",
      `the store does not answer as it should (${code || name}). Look at its address and the network, then try again`,
    );
  return coded(
    "failed_precondition",
    `the store refuses (${name}: ${thrown.message.split("\n", 1)[0]})`,
  );
}

/** The HTTP status of an answer; 0 when there was none. */
export function statusOf(thrown: unknown): number {
  if (!(thrown instanceof Error) || !("$metadata" in thrown)) return 0;
  const metadata = thrown.$metadata as { httpStatusCode?: number } | undefined;
  return metadata?.httpStatusCode ?? 0;
}
