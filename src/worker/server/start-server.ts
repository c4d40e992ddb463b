import { connect } from "node:net";
import type { Clock } from "../../base/clock.ts";
import { CodedError } from "../../base/errors.ts";
import type { Runner, RunSpec, ServerAddress } from "../../runner/index.ts";
import { describeEnd } from "../describe-end.ts";
import type { TaskLog } from "../task-log.ts";

/** A server has so long to listen, from when it was started. */
const readyMsMax = 60_000;
const probeMsMax = 250;

/** A user's web server that runs and listens. */
export interface RunningServer {
  readonly address: ServerAddress;
  /** Fires when it ends by itself; its reason says how. */
  readonly ended: AbortSignal;
  /** Kills it and all that it started. */
  stop(): Promise<void>;
}

/**
 * Starts a server and waits until it listens.
 *
 * @throws CodedError `failed_precondition` with its last words when it ends before, or does not listen within a minute
 */
export async function startServer(
  { runner, clock, taskLog }: { runner: Runner; clock: Clock; taskLog: TaskLog },
  spec: RunSpec,
  signal: AbortSignal,
): Promise<RunningServer> {
  const stopping = new AbortController();
  const ended = new AbortController();
  const reachable = Promise.withResolvers<ServerAddress>();
  const running = runner
    .run(spec, {
      signal: AbortSignal.any([signal, stopping.signal]),
      output: async (piece) => await taskLog.write(piece),
      reachable: reachable.resolve,
    })
    .then(
      (outcome) => ended.abort(lastWords(`it ended: ${describeEnd(outcome)}`, taskLog)),
      (error: unknown) => ended.abort(error),
    );
  const stop = async (): Promise<void> => {
    stopping.abort();
    await running;
  };
  try {
    const address = await Promise.race([reachable.promise, rejection(ended.signal)]);
    const probing = AbortSignal.any([signal, ended.signal]);
    if (await isListening(clock, address, probing)) return { address, ended: ended.signal, stop };
    throw lastWords(
      `it does not listen on port ${address.port} (the variable PORT says it) after ${readyMsMax / 1_000} s`,
      taskLog,
    );
  } catch (error) {
    await stop();
    throw error;
  }
}

function lastWords(what: string, taskLog: TaskLog): CodedError {
  const lines = [`Cannot use the web server: ${what}`, taskLog.tail()];
  return new CodedError("failed_precondition", lines.filter((line) => line !== "").join("\n"));
}

async function rejection(signal: AbortSignal): Promise<never> {
  return await new Promise((_, reject) => {
    const fail = (): void => reject(signal.reason as Error);
    if (signal.aborted) fail();
    else signal.addEventListener("abort", fail, { once: true });
  });
}

/** Knocks until somebody opens; false when that takes too long. */
async function isListening(
  clock: Clock,
  address: ServerAddress,
  signal: AbortSignal,
): Promise<boolean> {
  const endMs = clock.monotonicMs() + readyMsMax;
  for (let delayMs = 5; clock.monotonicMs() < endMs; delayMs = Math.min(delayMs * 2, probeMsMax)) {
    signal.throwIfAborted();
    if (await knock(address)) return true;
    await clock.sleep(delayMs, signal).catch(() => undefined);
  }
  return false;
}

async function knock({ host, port }: ServerAddress): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ host, port, timeout: probeMsMax });
    const end = (isOpen: boolean): void => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once("connect", () => end(true));
    socket.once("timeout", () => end(false));
    socket.once("error", () => end(false));
  });
}
