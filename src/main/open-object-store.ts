import * as fs from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Clock } from "../base/clock.ts";
import { CodedError } from "../base/errors.ts";
import { randomHex, type Random } from "../base/random.ts";
import {
  caching,
  limiting,
  openLocalObjectStore,
  openS3ObjectStore,
  retrying,
  type ObjectStore,
} from "../objectstore/index.ts";
import type { PachdConfig } from "./config.ts";

/** Requests to a store far away at the same time. */
const callsMax = 32;

/** Where a store is, as `--object-store` says it. */
export type StoreAddress =
  | { readonly kind: "file"; readonly folder: string }
  | {
      readonly kind: "s3";
      readonly bucket: string;
      /** "" or ending in `/`. */
      readonly prefix: string;
      readonly endpoint: string | undefined;
      readonly region: string | undefined;
    };

/** @throws CodedError `usage` */
export function parseStoreAddress(text: string): StoreAddress {
  const refuse = (why: string): CodedError =>
    new CodedError(
      "usage",
      `Cannot use --object-store ${text}: ${why}. Give file:///dir or s3://bucket/prefix?endpoint=https://host`,
    );
  if (!URL.canParse(text)) throw refuse("it is no address");
  const url = new URL(text);
  if (url.protocol === "file:") {
    if (url.host !== "" || url.search !== "") throw refuse("a folder is named as file:///dir");
    return { kind: "file", folder: fileURLToPath(url) };
  }
  if (url.protocol !== "s3:") throw refuse(`nothing is known of ${url.protocol}//`);
  if (url.username !== "") throw refuse("keys come from the usual AWS variables and files");
  const unknown = [...url.searchParams.keys()].find(
    (name) => name !== "endpoint" && name !== "region",
  );
  if (unknown !== undefined) throw refuse(`there is no setting "${unknown}"`);
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(url.hostname))
    throw refuse(`"${url.hostname}" is no bucket`);
  const endpoint = url.searchParams.get("endpoint") ?? undefined;
  if (endpoint !== undefined && !/^https?:\/\//.test(endpoint))
    throw refuse("the endpoint is an http or https address");
  const prefix = decodeURIComponent(url.pathname).replace(/^\/+|\/+$/g, "");
  if (!/^[\w./-]*$/.test(prefix))
    throw refuse(`the prefix has letters other than A-Z, a-z, 0-9 and -_./`);
  return {
    kind: "s3",
    bucket: url.hostname,
    prefix: prefix === "" ? "" : `${prefix}/`,
    endpoint,
    region: url.searchParams.get("region") ?? undefined,
  };
}

export interface StoreDeps {
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Opens the object store that the configuration names, and proves that it can be used: one object is
 * written, read and removed.
 */
export async function openObjectStore(
  config: Pick<PachdConfig, "root" | "objectStore" | "objectCacheBytes" | "s3Endpoint">,
  deps: StoreDeps,
): Promise<ObjectStore> {
  const { random } = deps;
  if (config.objectStore === undefined)
    return await openLocalObjectStore({ root: join(config.root, "store"), fs, random });
  const address = parseStoreAddress(config.objectStore);
  const store =
    address.kind === "file"
      ? await openLocalObjectStore({ root: address.folder, fs, random, isShared: true })
      : await openFarStore(address, config, deps);
  await probe(store, random).catch(async (error: unknown) => {
    await store.close();
    throw error;
  });
  return store;
}

async function openFarStore(
  address: Extract<StoreAddress, { kind: "s3" }>,
  {
    root,
    objectCacheBytes,
    s3Endpoint,
  }: Pick<PachdConfig, "root" | "objectCacheBytes" | "s3Endpoint">,
  { clock, random }: StoreDeps,
): Promise<ObjectStore> {
  const endpoint = address.endpoint ?? s3Endpoint;
  const store = await openS3ObjectStore({ ...address, endpoint });
  const far = retrying(limiting(store, callsMax), { clock, random });
  if (objectCacheBytes === 0) return far;
  return await caching(far, {
    folder: join(root, "cache", "objects"),
    fs,
    bytesMax: objectCacheBytes,
  });
}

async function probe(store: ObjectStore, random: Random): Promise<void> {
  const key = `probes/${randomHex(random)}`;
  const writer = await store.create(key, {});
  try {
    await writer.write([Buffer.from(key)]);
    await writer.seal();
  } catch (error) {
    await writer.abort();
    throw error;
  }
  const back = await store.read(key, { start: 0, length: key.length }, {});
  await store.remove(key, {});
  if (back.toString() !== key)
    throw new CodedError(
      "data_loss",
      "Cannot use the object store: what was written is not what is read",
    );
}
