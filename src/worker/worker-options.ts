import type * as nodeFs from "node:fs/promises";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { OpenBucket } from "../model/source-bucket.ts";
import type { FileCache } from "../filecache/index.ts";
import type { Runner } from "../runner/index.ts";
import type { ViewDisplays } from "./lazy-views.ts";
import type { Places } from "./places.ts";
import type { ShuffleCompute } from "../shuffle/index.ts";
import type { FetchUrl } from "./read-split.ts";
import type { SecretSource } from "./stage-secrets.ts";
import type { WorkerHost } from "./worker-host.ts";

/** The part of the file system that a worker uses. */
export type WorkerFs = Pick<
  typeof nodeFs,
  | "chmod"
  | "copyFile"
  | "link"
  | "lstat"
  | "mkdir"
  | "open"
  | "readdir"
  | "readlink"
  | "rename"
  | "rm"
  | "rmdir"
  | "stat"
  | "utimes"
>;

export interface WorkerOptions {
  /** Names the worker in jobs and logs. */
  readonly name: string;
  readonly host: WorkerHost;
  readonly runner: Runner;
  readonly filecache: FileCache;
  readonly fs: WorkerFs;
  /** Absolute directory of this worker alone, best on the file system of the cache; emptied at the start. */
  readonly scratch: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Host directories that commands must not see: the daemon's data. The scratch is added. */
  readonly hidden: readonly string[];
  /** Where this machine keeps secrets. Default: it has none. */
  readonly secrets?: SecretSource;
  /** Shows inputs that are brought as they are read. Default: those are brought like others. */
  readonly displays?: ViewDisplays;
  /** Where what mappers print is sorted. */
  readonly shuffle: ShuffleCompute;
  /** Fetches what mappers read of the web. Default: nothing is fetched. */
  readonly fetchUrl?: FetchUrl;
  /** Opens the buckets that jobs read, with this machine's credentials. Default: nothing is read of S3. */
  readonly openBucket?: OpenBucket;
  /** Where commands find the daemon, as `host:port`, when that is known. */
  readonly daemonAddress?: () => string | undefined;
  /** Bounds how many commands run at a time. Default: as many as tasks are given. */
  readonly places?: Places;
  /** False when the runner cannot show inputs read-only; they are then never hard links into the cache. */
  readonly readOnlyInputs: boolean;
}
