import { ahead, type Begun } from "../../base/ahead.ts";
import { CodedError } from "../../base/errors.ts";
import { KiB, MiB } from "../../base/size.ts";
import { joinPath, parsePath, type FilePath } from "../../model/paths.ts";
import { fetchUrl } from "./fetch-url.ts";
import { collect } from "./whole-body.ts";

/** Objects up to this size are asked for before their turn, so that many are on their way at once. */
const wholeBytesMax = 256 * KiB;
const aheadLimits = { countMax: 16, bytesMax: 4 * MiB };

interface ListedObject {
  readonly key: string;
  readonly bytes: number;
}

/** An object whose turn has not come; its content when it is small, else read when it is its turn. */
interface ComingObject {
  readonly key: string;
  readonly whole: Promise<Buffer> | undefined;
}

/** Objects of somebody else's, as the object store floor opens them. */
export interface SourceBucket {
  read(key: string, signal: AbortSignal): AsyncIterable<Uint8Array>;
  list(prefix: string, signal: AbortSignal): AsyncIterable<ListedObject>;
  close(): void;
}

/** Opens the bucket that an s3 url names. */
export type OpenBucket = (address: {
  readonly bucket: string;
  readonly endpoint: string | undefined;
  readonly region: string | undefined;
}) => Promise<SourceBucket>;

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
    if (recursive)
      throw new CodedError(
        "invalid_argument",
        `Cannot fetch all below ${url}: only s3 urls can be walked`,
      );
    return yield { path, content: await fetchUrl(url, signal) };
  }
  const { searchParams } = parsed;
  const key = keyOf(parsed);
  const bucket = await openBucket({
    bucket: bucketOf(parsed),
    endpoint: endpointOf(parsed),
    region: searchParams.get("region") ?? undefined,
  });
  try {
    if (recursive) yield* walk(bucket, { url, prefix: key, path }, signal);
    else yield { path, content: bucket.read(key, signal) };
  } finally {
    bucket.close();
  }
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
    yield { path: joinPath(path, parsePath(key)), content };
  }
  if (files === 0)
    throw new CodedError("not_found", `Cannot fetch all below ${url}: there is no object`);
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

function bucketOf(url: URL): string {
  if (/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(url.hostname)) return url.hostname;
  throw new CodedError(
    "invalid_argument",
    `Cannot fetch ${url.href}: "${url.hostname}" is no bucket`,
  );
}

function keyOf(url: URL): string {
  try {
    return decodeURIComponent(url.pathname.slice(1));
  } catch {
    return url.pathname.slice(1);
  }
}

function endpointOf(url: URL): string | undefined {
  const endpoint = url.searchParams.get("endpoint") ?? undefined;
  if (endpoint === undefined || /^https?:\/\//.test(endpoint)) return endpoint;
  throw new CodedError(
    "invalid_argument",
    `Cannot fetch ${url.href}: the endpoint is an http or https address`,
  );
}
