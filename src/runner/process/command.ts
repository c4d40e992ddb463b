import { spawn, type ChildProcess } from "node:child_process";
import type { RunOptions, RunOutcome } from "../runner.ts";
import type { ProcessFs } from "./process-fs.ts";
import { openStreams, type StreamPipes, type Streams } from "./streams.ts";

/** A program to start, and how to be rid of all that it started. */
export interface Command extends StreamPipes {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Host path of what a command reads that is not between two streams. */
  readonly stdin: string;
  /** Kills the command and whatever it left behind; settles when all is dead. */
  killAll(child: number | undefined): Promise<void>;
}

/**
 * Starts the command, hands its output on and waits for the end of it and of all it started. A
 * failing `output` kills it too. Rejects with the signal's reason when aborted, all being dead.
 */
export async function runCommand(
  fs: ProcessFs,
  command: Command,
  options: Pick<RunOptions, "signal" | "output" | "piped">,
): Promise<RunOutcome> {
  options.signal.throwIfAborted();
  const streams = openStreams(command, options);
  try {
    // The pipe is open for writing: a reader of it does not wait for that.
    const stdin = await fs.open(
      options.piped === undefined ? command.stdin : command.pipes.stdin,
      "r",
    );
    try {
      return await runBetween(streams, command, { stdin: stdin.fd, signal: options.signal });
    } finally {
      await stdin.close();
    }
  } finally {
    streams.close();
  }
}

async function runBetween(
  streams: Streams,
  command: Command,
  { stdin, signal }: { stdin: number; signal: AbortSignal },
): Promise<RunOutcome> {
  const child = start(command, [stdin, ...streams.writers]);
  const ended = endOf(child);
  streams.closeWriters();
  const killAll = async (): Promise<void> => await command.killAll(child.pid);
  const killNow = (): void => void killAll().catch(() => undefined);
  signal.addEventListener("abort", killNow, { once: true });
  const pumped = streams.pump(killNow);
  const outcome = await ended;
  await killAll();
  streams.stopInput();
  const failed = await pumped;
  signal.removeEventListener("abort", killNow);
  signal.throwIfAborted();
  if (failed !== undefined) throw failed.error;
  return outcome;
}

function start(command: Command, stdio: number[]): ChildProcess {
  return spawn(command.file, command.args, { cwd: "/", env: command.env, detached: true, stdio });
}

async function endOf(child: ChildProcess): Promise<RunOutcome> {
  return await new Promise((resolve) => {
    child.once("error", (error) => resolve({ kind: "not_started", reason: error.message }));
    child.once("exit", (exitCode, signal) => resolve(outcomeOf(exitCode, signal)));
  });
}

function outcomeOf(exitCode: number | null, signal: string | null): RunOutcome {
  return signal === null
    ? { kind: "exited", exitCode: exitCode ?? 0 }
    : { kind: "signalled", signal };
}
