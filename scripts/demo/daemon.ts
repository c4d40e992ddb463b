import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../src/base/free-port.ts";

const readyMs = 30_000;
const stopMs = 10_000;

/** A `pachd` of our own, in a process group of its own, so that it can outlive us. */
export interface Daemon {
  /** `127.0.0.1:PORT`, for ADDRESS. */
  readonly address: string;
  readonly pid: number;
  /** Asks it to end, kills it when it does not. Safe to call twice. */
  stop(): Promise<void>;
  /** Lets this process end while the daemon goes on. */
  leave(): void;
}

/** Starts `pachd` on a free port and waits until it answers. */
export async function startDaemon(options: {
  readonly program: string;
  readonly args: readonly string[];
  readonly logFile: string;
  readonly signal: AbortSignal;
}): Promise<Daemon> {
  const port = await freePort();
  const log = openSync(options.logFile, "a");
  const child = spawn(options.program, ["--address", `127.0.0.1:${port}`, ...options.args], {
    detached: true,
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  const ended = once(child, "exit");
  const stop = async (): Promise<void> => {
    await stopProcess(child, ended);
  };
  try {
    await once(child, "spawn");
    await answers(child, `http://127.0.0.1:${port}/healthz`, options.signal);
  } catch (error) {
    await stop();
    options.signal.throwIfAborted();
    const said = readFileSync(options.logFile, "utf8").trim().split("\n").slice(-20).join("\n");
    throw new Error(`pachd did not start. Its last words:\n${said}`, { cause: error });
  }
  return { address: `127.0.0.1:${port}`, pid: child.pid ?? 0, stop, leave: () => child.unref() };
}

async function answers(child: ChildProcess, url: string, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + readyMs;
  while (Date.now() < deadline) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error("it ended by itself");
    const answer = await fetch(url, { signal }).catch(() => undefined);
    if (answer?.ok === true) return;
    await sleep(50, undefined, { signal });
  }
  throw new Error(`no answer at ${url} within ${readyMs / 1_000} s`);
}

async function stopProcess(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  const late = sleep(stopMs, "late", { ref: false });
  if ((await Promise.race([ended, late])) !== "late") return;
  process.kill(-child.pid, "SIGKILL");
  await ended;
}
