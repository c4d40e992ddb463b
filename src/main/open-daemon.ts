import { openHttpServer } from "../api/index.ts";
import { systemClock } from "../base/clock.ts";
import { advanceRuns } from "../classic/index.ts";
import { CodedError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { systemRandom } from "../base/random.ts";
import { openMapReducePlanner } from "../mapreduce/index.ts";
import { OpenRoots, type PfsDeps } from "../pfs/index.ts";
import { runEventLoop, type PpsDeps } from "../pps/index.ts";
import { openPoolCompute, openStorage } from "../storage/index.ts";
import { bucketOpener } from "./bucket-opener.ts";
import { closeInOrder } from "./close-in-order.ts";
import type { PachdConfig } from "./config.ts";
import { runGarbageCollection } from "./collect-garbage.ts";
import { keepSession } from "./keep-session.ts";
import { runMaintenance } from "./maintenance.ts";
import { openObjectStore } from "./open-object-store.ts";
import { openMetadata, type OpenedMetadata } from "./open-metadata.ts";
import { openLocalDoor } from "./open-local-door.ts";
import { openLocalWorkers } from "./open-local-workers.ts";
import { openRunner, type OpenedRunner } from "./open-runner.ts";
import { readToken } from "./read-token.ts";

export interface Daemon {
  readonly address: string;
  /** Resolves with the reason when the daemon can do nothing useful any more and should be closed. */
  readonly died: Promise<CodedError>;
  /** Stops taking requests and tasks, lets what runs end until the signal fires, then closes everything. */
  close(signal: AbortSignal): Promise<void>;
}

/** What a daemon is called and where it reports. */
export interface DaemonIdentity {
  readonly log: Log;
  readonly version: string;
  readonly session: string;
}

/** Closers of what has been opened, in order. */
type Opened = (() => Promise<unknown>)[];

/** Opens every part of a daemon on an embedded root, bottom up. */
export async function openDaemon(config: PachdConfig, identity: DaemonIdentity): Promise<Daemon> {
  const { log } = identity;
  const opened: Opened = [];
  try {
    return await openParts(config, identity, opened);
  } catch (error) {
    await closeInOrder(opened, log);
    throw error;
  }
}

async function openParts(
  config: PachdConfig,
  identity: DaemonIdentity,
  opened: Opened,
): Promise<Daemon> {
  const { log, version, session } = identity;
  const found = await openMetadata(config, log);
  opened.push(() => found.metadata.close());
  const pfs = await openPfs(config, identity, { ...found, opened });
  const runner = await openRunner(config, { random: pfs.random, log });
  opened.push(() => runner.close());
  const labels = { runner: runner.label, imageRunner: runner.imageLabel };
  const openBucket = bucketOpener(config.s3Endpoint);
  const stages = openMapReducePlanner({ pfs, openBucket });
  const pps: PpsDeps = {
    pfs,
    session,
    slots: runner.slots,
    stages,
    openBucket,
    ...labels,
    ...imagesOf(runner),
  };
  const stop = new AbortController();
  const facts = { address: `${config.host}:${config.port}`, release: version };
  await pfs.storage.claimStore(stop.signal);
  await pfs.storage.renewSession(facts);
  const disowned = Promise.withResolvers<CodedError>();
  const loops = [
    runEventLoop(pps, stop.signal),
    advanceRuns(pps, stop.signal),
    runMaintenance(
      pfs,
      { disowned: disowned.resolve, logBytesMax: config.logBytesMax },
      stop.signal,
    ),
    keepSession(pfs, facts, stop.signal),
    runGarbageCollection(pfs, config.gcEveryMs, stop.signal),
  ];
  opened.push(() => {
    stop.abort();
    return Promise.all(loops);
  });
  const workers = await openLocalWorkers(config, { pps, runner, version });
  let closing = AbortSignal.abort();
  opened.push(() => workers.close(closing));
  const local = await openLocalDoor(config.root, { random: pfs.random, opened });
  const http = await openDoor(config, { pps, log, version, local, openBucket });
  workers.tellAddress(nearAddress(http.address));
  opened.push(() => http.close(closing));
  log.info(
    { address: http.address, root: config.root, slots: runner.slots, ...labels },
    "pachd is ready",
  );
  return {
    address: http.address,
    died: Promise.race([found.died, disowned.promise]),
    async close(signal) {
      log.info({}, "pachd is stopping");
      closing = signal;
      workers.drain();
      await closeInOrder(opened, log);
    },
  };
}

/** Opens the port on which everything is asked for. */
async function openDoor(
  config: PachdConfig,
  parts: Pick<
    Parameters<typeof openHttpServer>[0],
    "pps" | "log" | "version" | "local" | "openBucket"
  >,
): ReturnType<typeof openHttpServer> {
  const { host, port, allowedHosts, tokenFile, curlRepo } = config;
  const token = await readToken(tokenFile);
  const bound = { host, port, allowedHosts, token, curlRepo };
  return await openHttpServer({ ...parts, ...bound }).catch((error: unknown) => {
    throw portError(error, config);
  });
}

/** Where a program of this machine finds a daemon that listens there. */
function nearAddress(address: string): string {
  return address.replace(/^(0\.0\.0\.0|\[::\]):/, "127.0.0.1:");
}

/** What tells of images, where there are any. */
function imagesOf(runner: OpenedRunner): Pick<PpsDeps, "imageDigest"> {
  if (runner.imageDigest === undefined) return {};
  return { imageDigest: async (image) => await runner.imageDigest?.(image) };
}

/** Opens the store and what stands on it and the metadata. */
async function openPfs(
  config: PachdConfig,
  { log, session }: DaemonIdentity,
  { metadata, hints, opened }: OpenedMetadata & { opened: Opened },
): Promise<PfsDeps> {
  const clock = systemClock();
  const random = systemRandom;
  const objects = await openObjectStore(config, { clock, random });
  opened.push(() => objects.close());
  const compute = openPoolCompute();
  opened.push(() => compute.close());
  const storage = openStorage({ objects, metadata, compute, clock, random, session, log });
  opened.push(() => storage.close());
  const openRoots = new OpenRoots({ metadata, storage });
  return { metadata, storage, clock, random, hints, log, openRoots };
}

function portError(error: unknown, config: PachdConfig): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const address = `${config.host}:${config.port}`;
  if (code === "EADDRINUSE")
    return new CodedError(
      "failed_precondition",
      `Cannot listen on ${address}: something else does already. Stop it, or choose another --address`,
    );
  if (code === "EACCES")
    return new CodedError(
      "permission_denied",
      `Cannot listen on ${address}: not allowed. Choose a port above 1023`,
    );
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND")
    return new CodedError(
      "failed_precondition",
      `Cannot listen on ${address}: this machine has no such address`,
    );
  return error;
}
