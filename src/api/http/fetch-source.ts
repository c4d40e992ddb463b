import { ahead, type Begun } from "../../base/ahead.ts";
import { CodedError } from "../../base/errors.ts";
import { KiB, MiB } from "../../base/size.ts";
import { shownUrl } from "../../base/shown-url.ts";
import { joinPath, parsePath, type FilePath } from "../../model/paths.ts";
import { s3KeyOf, s3PlaceOf } from "../../model/s3-url.ts";
import type { ListedObject, OpenBucket, SourceBucket } from "../../model/source-bucket.ts";
import { fetchUrl } from "../../base/fetch-url.ts";
import { collect } from "./whole-body.ts";

/** Objects up to this size are asked for before their turn, so that many are on their way at once. */
const wholeBytesMax = 256 * KiB;
const aheadLimits = { countMax: 16, bytesMax: 4 * MiB };

/** An object whose turn has not come; its content when it is small, else read when it is its turn. */
interface ComingObject {
  readonly key: string;
  readonly whole: Promise<Buffer> | undefined;
}

/** A file that the daemon fetches, and where it goes. */
export interface FetchedFile {
  readonly path: FilePath;
  readonly content: Buffer | AsyncIterable<Uint8Array>;
}

/** What is to be fetched. */
export interface FetchRequest {
  readonly url: string;
  /** Of an s3 url: everything whose key begins with it. */
  readonly recursive: boolean;
  /** Of the file; with `recursive`, what goes before each key. */
  readonly path: FilePath;
}

/**
 * The files that a url stands for: one, or with `recursive` each object below an s3 prefix.
 *
 * @throws CodedError `invalid_argument` for another scheme; `not_found` when there is nothing; as the
 *   source refuses
 */
export async function* fetchSource(
  { url, recursive, path }: FetchRequest,
  openBucket: OpenBucket,
  signal: AbortSignal,
): AsyncGenerator<FetchedFile, void, void> {
  const parsed = URL.parse(url);
  if (parsed?.protocol !== "s3:") {
    if (recursive) throw cannotFetch(url, "only s3 urls can be walked, leave -r out");
    return yield { path, content: await fetchUrl(url, signal) };
  }
  const place = s3PlaceOf(parsed, (why) => cannotFetch(url, why));
  const key = s3KeyOf(url);
  // The store would answer what a read of no object means: a list of them.
  if (key === "" && !recursive) throw cannotFetch(url, "name an object, or add -r");
  const bucket = await openBucket(place);
  try {
    if (recursive) yield* walk(bucket, { url, prefix: key, path }, signal);
    else yield { path, content: bucket.read(key, signal) };
  } finally {
    bucket.close();
  }
}

function cannotFetch(url: string, why: string): CodedError {
  return new CodedError("invalid_argument", `Cannot fetch ${shownUrl(url)}: ${why}`);
}

async function* walk(
  bucket: SourceBucket,
  { url, prefix, path }: { url: string; prefix: string; path: FilePath },
  signal: AbortSignal,
): AsyncGenerator<FetchedFile, void, void> {
  let files = 0;
  const begin = (object: ListedObject): Begun<ComingObject> => beginObject(bucket, object, signal);
  for await (const { key, whole } of ahead(bucket.list(prefix, signal), begin, aheadLimits)) {
    // What consoles make to show a folder.
    if (key.endsWith("/")) continue;
    files++;
    const content = (await whole) ?? bucket.read(key, signal);
    yield { path: joinPath(path, pathOfKey(key, url)), content };
  }
  if (files === 0)
    throw new CodedError(
      "not_found",
      `Cannot fetch all below ${shownUrl(url)}: there is no object`,
    );
}

function beginObject(
  bucket: SourceBucket,
  { key, bytes }: ListedObject,
  signal: AbortSignal,
): Begun<ComingObject> {
  if (bytes > wholeBytesMax || key.endsWith("/"))
    return { value: { key, whole: undefined }, bytes: 0 };
  const whole = collect(bucket.read(key, signal), bytes);
  // Thrown when its turn comes.
  whole.catch(() => undefined);
  return { value: { key, whole }, bytes };
}

/** Keys that are one path when cleaned would become one file. */
function pathOfKey(key: string, url: string): FilePath {
  if (parsePath(key) === key) return key;
  throw new CodedError(
    "invalid_argument",
    `Cannot fetch all below ${shownUrl(url)}: the key "${key}" is no path, which has no empty part, "." or "..". Put that object alone and name its PATH, and the others by a longer prefix`,
  );
}
