import { spawn, type ChildProcess } from "node:child_process";
import type { RunOutcome } from "../runner.ts";
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
  options: { signal: AbortSignal; output: (piece: Uint8Array) => void | Promise<void> },
): Promise<RunOutcome> {
  options.signal.throwIfAborted();
  const stdin = await fs.open(command.stdin, "r");
  const pipe = openOutputPipe(command.output);
  try {
    const child = start(command, [stdin.fd, pipe.writer, pipe.writer]);
    const ended = endOf(child);
    pipe.closeWriter();
    const killAll = async (): Promise<void> => await command.killAll(child.pid);
    const killNow = (): void => void killAll().catch(() => undefined);
    options.signal.addEventListener("abort", killNow, { once: true });
    const pumped = pipe.pump(options.output).then(
      () => undefined,
      (error: unknown) => {
        killNow();
        return { error };
      },
    );
    const outcome = await ended;
    await killAll();
    const failed = await pumped;
    options.signal.removeEventListener("abort", killNow);
    options.signal.throwIfAborted();
    if (failed !== undefined) throw failed.error;
    return outcome;
  } finally {
    pipe.close();
    await stdin.close();
  }
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
