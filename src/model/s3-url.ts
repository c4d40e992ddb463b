import type { CodedError } from "../base/errors.ts";

/** What an `s3://bucket/…?endpoint=https://host&region=name` says beside its path. */
export interface S3Place {
  readonly bucket: string;
  readonly endpoint: string | undefined;
  readonly region: string | undefined;
}

/** All objects whose keys begin so. */
export interface S3Prefix {
  readonly place: S3Place;
  readonly prefix: string;
}

const bucketName = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const settings = ["endpoint", "region"];

/**
 * Reads an s3 url. Credentials are not part of one: what looks like them is refused, not left out.
 *
 * @throws what `refuse` makes of the reason, which shows no secret
 */
export function s3PlaceOf(url: URL, refuse: (why: string) => CodedError): S3Place {
  const { searchParams } = url;
  const endpoint = searchParams.get("endpoint") ?? undefined;
  if (url.username !== "" || url.password !== "" || endpoint?.includes("@") === true)
    throw refuse("keys come from the daemon's AWS variables and files, never from an address");
  if (url.hash !== "") throw refuse('"#" is written as %23');
  const unknown = [...searchParams.keys()].find((name) => !settings.includes(name));
  if (unknown !== undefined) throw refuse(`there is no setting "${unknown}"`);
  if (!bucketName.test(url.host)) throw refuse(`"${url.host}" is no bucket`);
  if (endpoint !== undefined && !/^https?:\/\/[^/]/.test(endpoint))
    throw refuse("the endpoint is an http or https address");
  return { bucket: url.host, endpoint, region: searchParams.get("region") ?? undefined };
}

/**
 * Reads the s3 url of an object, or of all whose keys begin so.
 *
 * @throws what `refuse` makes of the reason, which shows no secret
 */
export function s3PrefixOf(text: string, refuse: (why: string) => CodedError): S3Prefix {
  const url = URL.parse(text);
  if (url?.protocol !== "s3:") throw refuse("it is no s3 address");
  return { place: s3PlaceOf(url, refuse), prefix: s3KeyOf(text) };
}

/** Whether a url is of S3; it may be wrong all the same. */
export function isS3Url(text: string): boolean {
  return /^\s*s3:/i.test(text);
}

/** As it was typed: a reader of urls takes "." and ".." out of a path, not of a key. */
export function s3KeyOf(text: string): string {
  const [, key = ""] = /^\s*s3:\/\/[^/?#]*\/([^?#]*)/i.exec(text) ?? [];
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}
