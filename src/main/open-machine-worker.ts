import * as fs from "node:fs/promises";
import { join } from "node:path";
import { fetchUrl } from "../base/fetch-url.ts";
import { openFileCache } from "../filecache/index.ts";
import { openBucket } from "../objectstore/index.ts";
import { openThreadShuffleCompute } from "../shuffle/index.ts";
import { openWorker, type Worker, type WorkerOptions } from "../worker/index.ts";
import { viewDisplays } from "./view-displays.ts";
import { readBootId } from "./boot-id.ts";
import { openSecretSource, type SecretPlaces } from "./secret-source.ts";

/** What a worker has of its machine: a folder for its cache and the scratch of commands, and secrets. */
interface MachinePlaces {
  readonly root: string;
  readonly secrets: SecretPlaces;
  readonly sandbox: boolean;
  /** Files of inputs kept on disk between tasks. */
  readonly cacheBytesMax: number;
}

/** The worker of this machine. */
interface MachineWorker {
  readonly worker: Worker;
  /** Gives back what it has of the machine. To be called after the last task. */
  close(signal: AbortSignal): Promise<void>;
}

type WorkerParts = Pick<
  WorkerOptions,
  "name" | "host" | "runner" | "clock" | "log" | "places" | "daemonAddress"
>;

/**
 * Opens the worker of this machine with a file cache of its own, for a daemon and for `pachd worker` alike.
 * Commands see neither the folder nor the secrets of others.
 */
export async function openMachineWorker(
  places: MachinePlaces,
  parts: WorkerParts,
): Promise<MachineWorker> {
  const { root, secrets, sandbox, cacheBytesMax: bytesMax } = places;
  const dir = join(root, "cache");
  const filecache = await openFileCache({ fs, dir, bytesMax, bootId: await readBootId() });
  const shuffle = openThreadShuffleCompute();
  const worker = await openWorker({
    displays: viewDisplays(parts),
    ...parts,
    filecache,
    fs,
    scratch: join(root, "work"),
    hidden: [root, ...(secrets.directory === undefined ? [] : [secrets.directory])],
    secrets: openSecretSource(secrets),
    readOnlyInputs: sandbox,
    shuffle,
    fetchUrl,
    openBucket,
  });
  return {
    worker,
    async close(signal) {
      await worker.close();
      await shuffle.close();
      await filecache.close(signal);
    },
  };
}
