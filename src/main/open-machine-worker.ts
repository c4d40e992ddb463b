import * as fs from "node:fs/promises";
import { join } from "node:path";
import { openFileCache, type FileCache } from "../filecache/index.ts";
import { openWorker, type Worker, type WorkerOptions } from "../worker/index.ts";
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

type WorkerParts = Pick<WorkerOptions, "name" | "host" | "runner" | "clock" | "log" | "places">;

/**
 * Opens the worker of this machine with a file cache of its own, for a daemon and for `pachd worker` alike.
 * Commands see neither the folder nor the secrets of others. The caller closes the cache, after the last task.
 */
export async function openMachineWorker(
  places: MachinePlaces,
  parts: WorkerParts,
): Promise<{ worker: Worker; filecache: FileCache }> {
  const { root, secrets, sandbox, cacheBytesMax: bytesMax } = places;
  const dir = join(root, "cache");
  const filecache = await openFileCache({ fs, dir, bytesMax, bootId: await readBootId() });
  const worker = await openWorker({
    ...parts,
    filecache,
    fs,
    scratch: join(root, "work"),
    hidden: [root, ...(secrets.directory === undefined ? [] : [secrets.directory])],
    secrets: openSecretSource(secrets),
    readOnlyInputs: sandbox,
  });
  return { worker, filecache };
}
