import { fileURLToPath } from "node:url";
import { CodedError } from "../base/errors.ts";
import { shownUrl } from "../base/shown-url.ts";
import { s3PlaceOf } from "../model/s3-url.ts";

/** Where a store is, as `--object-store` says it in `text`. */
export type StoreAddress = { readonly text: string } & (
  | { readonly kind: "file"; readonly folder: string }
  | {
      readonly kind: "s3";
      readonly bucket: string;
      /** "" or ending in `/`. */
      readonly prefix: string;
      readonly endpoint: string | undefined;
      readonly region: string | undefined;
    }
);

/**
 * Reads `file:///dir` or `s3://bucket/prefix?endpoint=https://host&region=name`.
 *
 * @throws CodedError `usage`
 */
export function parseStoreAddress(text: string): StoreAddress {
  const refuse = (why: string): CodedError =>
    new CodedError(
      "usage",
      `Cannot use --object-store ${shownUrl(text)}: ${why}. Give file:///dir or s3://bucket/prefix?endpoint=https://host`,
    );
  const url = URL.parse(text);
  if (url === null) throw refuse("it is no address");
  if (url.protocol === "file:") {
    if (!/^file:\/\/\/[^?#]*$/i.test(text))
      throw refuse("a folder is named by its whole path, as file:///dir");
    const folder = decoded(() => fileURLToPath(url));
    if (folder === undefined) throw refuse("its path cannot be read");
    return { text, kind: "file", folder };
  }
  if (url.protocol !== "s3:") throw refuse(`nothing is known of ${url.protocol}//`);
  // No bucket, prefix or endpoint has one: more than a reader of urls finds may be a key.
  if (/@|%40/.test(text))
    throw new CodedError(
      "usage",
      "Cannot use --object-store: keys come from the usual AWS variables and files. Give s3://bucket/prefix without them",
    );
  const place = s3PlaceOf(url, refuse);
  const prefix = decoded(() => decodeURIComponent(url.pathname))?.replace(/^\/+|\/+$/g, "");
  if (prefix === undefined || !/^[\w./-]*$/.test(prefix))
    throw refuse("the prefix has letters other than A-Z, a-z, 0-9 and -_./");
  return {
    text,
    kind: "s3",
    ...place,
    prefix: prefix === "" ? "" : `${prefix}/`,
  };
}

function decoded(decode: () => string): string | undefined {
  try {
    return decode();
  } catch {
    return undefined;
  }
}
