import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import { systemClock } from "../base/clock.ts";
import { CodedError, codedErrorFrom, isCoded } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { systemRandom } from "../base/random.ts";
import { RemoteWorkerHost } from "../client/index.ts";
import { openGearmanDispatcher } from "../dispatcher/index.ts";
import type { WorkerFacts } from "../model/worker.ts";
import { keepRegistered, openSlots } from "../worker/index.ts";
import { lockFolder } from "./lock-folder.ts";
import { openLogger } from "./logger.ts";
import { openMachineWorker } from "./open-machine-worker.ts";
import { openRunner } from "./open-runner.ts";
import { readToken } from "./read-token.ts";
import { stopSignal } from "./stop-signals.ts";
import { packageVersion } from "./version.ts";
import { parseWorkerConfig, workerHelp, type WorkerConfig } from "./worker-config.ts";

/** To be sure that every command is dead after the bound of a drain, and handed back. */
const endMs = 5_000;

/**
 * `pachd worker`: runs tasks for a daemon on another machine until SIGTERM. Loads nothing of the daemon, so that
 * it stays small.
 */
export async function runWorker(argv: readonly string[]): Promise<void> {
  const cwd = process.cwd();
  const config = parseWorkerConfig(argv, process.env, { cpus: availableParallelism(), cwd });
  if (config === "help") {
    process.stdout.write(workerHelp);
    return;
  }
  const log = openLogger(config.logLevel);
  const stopped = stopSignal();
  await lockFolder(config.root);
  const worker = await openRemoteWorker(config, log);
  try {
    await Promise.race([worker.register(), stopped]);
    process.stdout.write(`pachd worker ${worker.name} takes tasks of ${config.address}\n`);
    worker.start();
    await stopped;
    log.info({}, "The worker is draining");
  } finally {
    await worker.close(AbortSignal.timeout(config.drainMs));
  }
}

/** A worker of a daemon far away. */
interface RemoteWorker {
  readonly name: string;
  /** Waits for a daemon that is away. @throws CodedError when the daemon refuses the worker */
  register(): Promise<void>;
  /** Begins to take tasks. */
  start(): void;
  /** Takes no more tasks, lets those under way end until the signal fires, then hands them back. */
  close(signal: AbortSignal): Promise<void>;
}

async function openRemoteWorker(config: WorkerConfig, log: Log): Promise<RemoteWorker> {
  const clock = systemClock();
  const random = systemRandom;
  const id = randomBytes(16).toString("hex");
  const name = `${config.machine}-${id.slice(0, 8)}`;
  const token = await readToken(config.tokenFile);
  const dispatcher =
    config.dispatcher && openGearmanDispatcher({ ...config.dispatcher, clock, random, log });
  const host = new RemoteWorkerHost({
    address: config.address,
    token,
    clock,
    random,
    log,
    ...(dispatcher === undefined ? {} : { waitMs: 0 }),
  });
  const runner = await openRunner(config, { random, log });
  const parts = { name, host, runner, clock, log, daemonAddress: () => config.address };
  const machine = await openMachineWorker(config, parts);
  const { worker } = machine;
  const gone = new AbortController();
  let slots: ReturnType<typeof openSlots> | undefined;
  let keeping: Promise<void> = Promise.resolve();
  let state: WorkerFacts["state"] = "ready";
  const facts = (): WorkerFacts => ({
    id,
    name,
    machine: config.machine,
    version: packageVersion(),
    runner: runner.kind,
    slots: config.slots,
    state,
  });
  return {
    name,
    register: async () => {
      await registered({ host, clock, log }, facts(), gone.signal);
    },
    start() {
      keeping = keepRegistered({ host, worker, clock, log }, facts, gone.signal);
      slots = openSlots({ ...parts, dispatcher, worker, slots: config.slots, random });
    },
    async close(signal) {
      state = "draining";
      slots?.drain();
      if (slots !== undefined) await host.keep(facts(), worker.tokens()).catch(() => []);
      await slots?.close(signal);
      dispatcher?.close();
      gone.abort();
      await keeping;
      await host.leave(facts()).catch(() => undefined);
      await runner.close();
      await machine.close(AbortSignal.timeout(endMs));
      host.close();
    },
  };
}

const againMs = 2_000;

async function registered(
  { host, clock, log }: { host: RemoteWorkerHost; clock: ReturnType<typeof systemClock>; log: Log },
  facts: WorkerFacts,
  signal: AbortSignal,
): Promise<void> {
  for (let isFirst = true; !signal.aborted; isFirst = false) {
    try {
      await host.keep(facts, []);
      return;
    } catch (error) {
      if (isCoded(error, "unauthenticated"))
        throw new CodedError(
          "unauthenticated",
          "This daemon asks for a token: give the worker the same one with --token-file FILE",
        );
      if (!isCoded(error, "unavailable")) throw error;
      if (isFirst) log.warn({ error: codedErrorFrom(error).message }, "Waiting for the daemon");
      await clock.sleep(againMs, signal).catch(() => undefined);
    }
  }
}
