import * as fs from "node:fs/promises";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { openHttpServer } from "../api/index.ts";
import { systemClock } from "../base/clock.ts";
import { CodedError } from "../base/errors.ts";
import { Hints } from "../base/hints.ts";
import type { Log } from "../base/log.ts";
import { systemRandom } from "../base/random.ts";
import { openSqliteMetadata } from "../metadata/index.ts";
import { openLocalObjectStore } from "../objectstore/index.ts";
import { OpenRoots, type PfsDeps } from "../pfs/index.ts";
import { runEventLoop, type PpsDeps } from "../pps/index.ts";
import { openPoolCompute, openStorage } from "../storage/index.ts";
import { closeInOrder } from "./close-in-order.ts";
import type { PachdConfig } from "./config.ts";
import { runMaintenance } from "./maintenance.ts";
import { openLocalWorkers } from "./open-local-workers.ts";
import { openRunner } from "./open-runner.ts";

export interface Daemon {
  readonly address: string;
  /** Stops taking requests and tasks, lets what runs end until the signal fires, then closes everything. */
  close(signal: AbortSignal): Promise<void>;
}

/** What a daemon is called and where it reports. */
export interface DaemonIdentity {
  readonly log: Log;
  readonly version: string;
  readonly session: string;
}

/** Opens every part of a daemon on an embedded root, bottom up. */
export async function openDaemon(config: PachdConfig, { log, version, session }: DaemonIdentity): Promise<Daemon> {
  const clock = systemClock();
  const random = systemRandom;
  const hints = new Hints();
  // The lock of the metadata keeps two daemons apart: it comes first.
  const metadata = await openSqliteMetadata({ path: join(config.root, "metadata", "mammoth.db"), log, clock });
  const opened: (() => Promise<unknown>)[] = [async () => { await metadata.close(); }];
  try {
    await metadata.call("endLeases", {});
    const objects = await openLocalObjectStore({ root: join(config.root, "store"), fs, random });
    opened.push(async () => { await objects.close(); });
    const compute = openPoolCompute();
    opened.push(async () => {
      await compute.close();
    });
    const storage = openStorage({ objects, metadata, compute, clock, random, session, log });
    opened.push(async () => { await storage.close(); });
    const pfs: PfsDeps = { metadata, storage, clock, random, hints, log, openRoots: new OpenRoots({ metadata, storage }) };
    const runner = await openRunner(config, { random, log });
    opened.push(async () => { await runner.close(); });
    const pps: PpsDeps = { pfs, session, slots: runner.slots, runner: runner.label };

    const stop = new AbortController();
    const loops = [runEventLoop(pps, stop.signal), runMaintenance(pfs, stop.signal)];
    opened.push(async () => { stop.abort(); await Promise.all(loops); });
    const workers = await openLocalWorkers(config, { pps, runner });
    const http = await openHttpServer({ pps, log, version, host: config.host, port: config.port, allowedHosts: config.allowedHosts, token: await readToken(config.tokenFile) })
      .catch(async (error: unknown) => { await workers.close(AbortSignal.abort()); throw portError(error, config); });
    log.info({ address: http.address, root: config.root, slots: runner.slots, runner: runner.label }, "pachd is ready");
    return {
      address: http.address,
      async close(signal) {
        log.info({}, "pachd is stopping");
        await Promise.all([http.close(signal), workers.close(signal)]);
        await closeInOrder(opened, log);
      },
    };
  } catch (error) {
    await closeInOrder(opened, log);
    throw error;
  }
}

async function readToken(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const token = (await readFile(file, "utf8").catch((error: unknown) => { throw new CodedError("failed_precondition", `Cannot read the token file ${file}: ${(error as Error).message}`); })).trim();
  if (token.length >= 16) return token;
  throw new CodedError("failed_precondition", `Cannot use the token in ${file}: it has fewer than 16 characters. Make one with "openssl rand -hex 16"`);
}

function portError(error: unknown, config: PachdConfig): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const address = `${config.host}:${config.port}`;
  if (code === "EADDRINUSE") return new CodedError("failed_precondition", `Cannot listen on ${address}: something else does already. Stop it, or choose another --address`);
  if (code === "EACCES") return new CodedError("permission_denied", `Cannot listen on ${address}: not allowed. Choose a port above 1023`);
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") return new CodedError("failed_precondition", `Cannot listen on ${address}: this machine has no such address`);
  return error;
}
