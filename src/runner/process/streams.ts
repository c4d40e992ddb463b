import type { RunOptions } from "../runner.ts";
import { openInputPipe } from "./input-pipe.ts";
import { openOutputPipe } from "./output-pipe.ts";

/** Named pipes that a command reads from and writes to. */
export interface StreamPipes {
  /** Of all that it prints, or of stderr alone. */
  readonly output: string;
  /** For a command between two streams. */
  readonly pipes: { readonly stdin: string; readonly stdout: string };
}

/** What goes into a command and what comes out of it, on its way. */
export interface Streams {
  /** The command's ends of stdout and stderr. */
  readonly writers: readonly [stdout: number, stderr: number];
  /** To be called once the command has its ends, or has ended. */
  closeWriters(): void;
  /** Moves all that comes until the ends are closed. Never rejects: a failure is told at once, and in the end. */
  pump(failed: () => void): Promise<{ readonly error: unknown } | undefined>;
  /** Nobody reads the input any more. */
  stopInput(): void;
  /** Safe at any time. */
  close(): void;
}

/** Opens the pipes, which must exist: stdin and stdout only for a command between two streams. */
export function openStreams(
  { output: path, pipes }: StreamPipes,
  { output, piped }: Pick<RunOptions, "output" | "piped">,
): Streams {
  const input = piped === undefined ? undefined : openInputPipe(pipes.stdin);
  const errors = openOutputPipe(path);
  const results = piped === undefined ? errors : openOutputPipe(pipes.stdout);
  const pumps = [async () => await errors.pump(output)];
  if (piped !== undefined) {
    pumps.push(async () => await results.pump(piped.stdout));
    pumps.push(async () => await input?.feed(piped.stdin));
  }
  return {
    writers: [results.writer, errors.writer],
    closeWriters() {
      results.closeWriter();
      errors.closeWriter();
    },
    async pump(failed) {
      const ends = pumps.map(
        async (pump) =>
          await pump().then(
            () => undefined,
            (error: unknown) => {
              failed();
              return { error };
            },
          ),
      );
      return (await Promise.all(ends)).find((end) => end !== undefined);
    },
    stopInput() {
      input?.stop();
    },
    close() {
      errors.close();
      if (results !== errors) results.close();
      input?.close();
    },
  };
}
