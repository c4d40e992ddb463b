import { spawn, type ChildProcess } from "node:child_process";
import type { RunOptions, RunOutcome } from "../runner.ts";
import { openInputPipe } from "./input-pipe.ts";
import { openOutputPipe } from "./output-pipe.ts";
import type { ProcessFs } from "./process-fs.ts";

/** A program to start, and how to be rid of all that it started. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Host paths: what the command reads, and the named pipe it writes to. */
  readonly stdin: string;
  readonly output: string;
  /** Named pipes in place of `stdin` and for stdout alone, there for a command between two streams. */
  readonly pipes: { readonly stdin: string; readonly stdout: string };
  /** Kills the command and whatever it left behind; settles when all is dead. */
  killAll(child: number | undefined): Promise<void>;
}

type Streams = Pick<RunOptions, "signal" | "output" | "piped">;

/**
 * Starts the command, hands its output on and waits for the end of it and of all it started. A
 * failing `output` kills it too. Rejects with the signal's reason when aborted, all being dead.
 */
export async function runCommand(
  fs: ProcessFs,
  command: Command,
  options: Streams,
): Promise<RunOutcome> {
  options.signal.throwIfAborted();
  const ends = await openEnds(fs, command, options);
  try {
    const child = start(command, ends.stdio);
    const ended = endOf(child);
    ends.closeWriters();
    const killAll = async (): Promise<void> => await command.killAll(child.pid);
    const killNow = (): void => void killAll().catch(() => undefined);
    options.signal.addEventListener("abort", killNow, { once: true });
    const pumped = Promise.all(
      ends.pumps.map(
        async (pump) =>
          await pump().then(
            () => undefined,
            (error: unknown) => {
              killNow();
              return { error };
            },
          ),
      ),
    );
    const outcome = await ended;
    await killAll();
    ends.stopInput();
    const failed = (await pumped).find((failure) => failure !== undefined);
    options.signal.removeEventListener("abort", killNow);
    options.signal.throwIfAborted();
    if (failed !== undefined) throw failed.error;
    return outcome;
  } finally {
    await ends.close();
  }
}

/** Our ends of what a command reads and writes. */
interface Ends {
  /** The command's ends: stdin, stdout, stderr. */
  readonly stdio: number[];
  /** What has to go on as long as the command runs. */
  readonly pumps: readonly (() => Promise<void>)[];
  closeWriters(): void;
  /** Nobody reads the input any more. */
  stopInput(): void;
  close(): Promise<void>;
}

async function openEnds(
  fs: ProcessFs,
  command: Command,
  { output, piped }: Streams,
): Promise<Ends> {
  // The writer first: a reader of a named pipe would wait for one.
  const input = piped === undefined ? undefined : openInputPipe(command.pipes.stdin);
  const stdin = await fs.open(piped === undefined ? command.stdin : command.pipes.stdin, "r");
  const errors = openOutputPipe(command.output);
  const results = piped === undefined ? errors : openOutputPipe(command.pipes.stdout);
  const pumps = [async () => await errors.pump(output)];
  if (piped !== undefined) {
    pumps.push(async () => await results.pump(piped.stdout));
    pumps.push(async () => await input?.feed(piped.stdin));
  }
  return {
    stdio: [stdin.fd, results.writer, errors.writer],
    pumps,
    closeWriters() {
      results.closeWriter();
      errors.closeWriter();
    },
    stopInput() {
      input?.close();
    },
    async close() {
      input?.close();
      errors.close();
      if (results !== errors) results.close();
      await stdin.close();
    },
  };
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
