import { CodedError, codedErrorFrom } from "../base/errors.ts";
import { shownUrl } from "../base/shown-url.ts";
import { s3PrefixOf, type S3Place } from "../model/s3-url.ts";
import type { ListedObject, OpenBucket } from "../model/source-bucket.ts";

/** More nobody can want of one job. */
const objectsMax = 1_000_000;

/** What an s3 URL names: all objects whose keys begin as it says. */
export interface ListedObjects {
  /** Where they are, whoever asks. */
  readonly place: S3Place;
  /** By key, in the order of its bytes. */
  readonly objects: readonly ListedObject[];
}

/**
 * Lists what a job reads of S3. What consoles make to show a folder is left out.
 *
 * @throws CodedError `failed_precondition` when it cannot be listed, whatever the reason: the client of S3 has tried
 *   again; `not_found` when there is nothing and `strict`
 */
export async function listObjects(
  openBucket: OpenBucket | undefined,
  { url, strict }: { url: string; strict: boolean },
  signal: AbortSignal,
): Promise<ListedObjects> {
  if (openBucket === undefined)
    throw new CodedError("failed_precondition", "This daemon reads nothing of S3");
  const { place, prefix } = s3PrefixOf(url, (why) => cannotRead(url, why));
  const bucket = await openBucket(place);
  const objects: ListedObject[] = [];
  try {
    for await (const object of bucket.list(prefix, signal)) {
      if (object.key.endsWith("/")) continue;
      if (objects.push(object) > objectsMax)
        throw cannotRead(url, `they are more than ${objectsMax}. Name a longer prefix`);
    }
  } catch (error) {
    signal.throwIfAborted();
    const { message } = codedErrorFrom(error);
    throw new CodedError("failed_precondition", message, { cause: error });
  } finally {
    bucket.close();
  }
  if (strict && objects.length === 0)
    throw new CodedError("not_found", `there is no object below ${shownUrl(url)}`);
  // As lists are meant to be, and gateways to file systems do not always have them.
  const sorted = objects.toSorted((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
  return { place: bucket.place, objects: sorted };
}

function cannotRead(url: string, why: string): CodedError {
  return new CodedError(
    "invalid_argument",
    `Cannot read the objects below ${shownUrl(url)}: ${why}`,
  );
}
