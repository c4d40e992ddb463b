import * as fs from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { CodedError, codedErrorFrom, isCoded } from "../base/errors.ts";
import { randomBelow, randomHex, type Random } from "../base/random.ts";
import {
  caching,
  limiting,
  openLocalObjectStore,
  openS3ObjectStore,
  retrying,
  type ObjectStore,
} from "../objectstore/index.ts";
import type { PachdConfig } from "./config.ts";
import type { StoreAddress } from "./store-address.ts";

/** Requests to a store far away at the same time. */
const callsMax = 32;

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
  const address = config.objectStore;
  if (address === undefined)
    return await openLocalObjectStore({ root: join(config.root, "store"), fs, random });
  const store =
    address.kind === "file"
      ? await openLocalObjectStore({ root: address.folder, fs, random, isShared: true })
      : await openFarStore(address, config, deps);
  await probeAgain(store, deps).catch(async (error: unknown) => {
    await store.close();
    throw unusable(address, error);
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

/** The address is what can be wrong, so it is shown. */
function unusable({ text }: StoreAddress, error: unknown): CodedError {
  const { code, message, details } = codedErrorFrom(error);
  const shown = `Cannot use --object-store ${text}:\n${message}`;
  return new CodedError(code, shown, { cause: error, details });
}

const probesMax = 4;

/** Daemons that start at once may be in each other's way in a folder behind the store. */
async function probeAgain(store: ObjectStore, { clock, random }: StoreDeps): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await probe(store, random);
    } catch (error) {
      if (tries === probesMax || !isCoded(error, "unavailable")) throw error;
      await clock.sleep(randomBelow(random, 200) + 50);
    }
  }
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
      "What was written there is not what is read. Give it to no other program, and look at its log",
    );
}
