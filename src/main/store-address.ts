import { fileURLToPath } from "node:url";
import { CodedError } from "../base/errors.ts";

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

const bucketName = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const settings = ["endpoint", "region"];

/**
 * Reads `file:///dir` or `s3://bucket/prefix?endpoint=https://host&region=name`.
 *
 * @throws CodedError `usage`
 */
export function parseStoreAddress(text: string): StoreAddress {
  const refuse = (why: string): CodedError =>
    new CodedError(
      "usage",
      `Cannot use --object-store ${text}: ${why}. Give file:///dir or s3://bucket/prefix?endpoint=https://host`,
    );
  const url = URL.parse(text);
  if (url === null) throw refuse("it is no address");
  if (url.protocol === "file:") {
    if (url.host !== "" || url.search !== "") throw refuse("a folder is named as file:///dir");
    const folder = decoded(() => fileURLToPath(url));
    if (folder === undefined) throw refuse("its path cannot be read");
    return { text, kind: "file", folder };
  }
  if (url.protocol !== "s3:") throw refuse(`nothing is known of ${url.protocol}//`);
  const { hostname: bucket, searchParams } = url;
  if (/@|%40/.test(text)) {
    // Not shown: a secret may be in it.
    throw new CodedError(
      "usage",
      `Cannot use --object-store: keys come from the usual AWS variables and files. Give s3://${bucket} without them`,
    );
  }
  const unknown = [...searchParams.keys()].find((name) => !settings.includes(name));
  if (unknown !== undefined) throw refuse(`there is no setting "${unknown}"`);
  if (!bucketName.test(bucket)) throw refuse(`"${bucket}" is no bucket`);
  const endpoint = searchParams.get("endpoint") ?? undefined;
  if (endpoint !== undefined && !/^https?:\/\/[^/]/.test(endpoint))
    throw refuse("the endpoint is an http or https address");
  const prefix = decoded(() => decodeURIComponent(url.pathname))?.replace(/^\/+|\/+$/g, "");
  if (prefix === undefined || !/^[\w./-]*$/.test(prefix))
    throw refuse("the prefix has letters other than A-Z, a-z, 0-9 and -_./");
  return {
    text,
    kind: "s3",
    bucket,
    prefix: prefix === "" ? "" : `${prefix}/`,
    endpoint,
    region: searchParams.get("region") ?? undefined,
  };
}

function decoded(decode: () => string): string | undefined {
  try {
    return decode();
  } catch {
    return undefined;
  }
}
