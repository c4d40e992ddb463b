import { openStreams, type StreamPipes } from "../process/streams.ts";
import type { RunOptions } from "../runner.ts";
import type { Answers } from "./answers.ts";

/** The ways to a shim. */
export interface ShimWays extends StreamPipes {
  readonly answers: Answers;
  /** Hands the shim a command line. */
  readonly send: (line: string) => void;
  /** Kills the shim with all that it started; safe to call again. */
  kill(): Promise<void>;
}

/** What a shim said of a command. */
export type ShimAnswer =
  | { readonly kind: "missing"; readonly why: string }
  | {
      readonly kind: "ended";
      readonly exitCode: number;
      /** The shell said before how it ended, as it does of most signals. */
      readonly saidWhy: boolean;
      /** False when something is left that the next command could see. */
      readonly isClean: boolean;
    };

/**
 * Has a shim run one command, and hands its output on. Undefined when the shim is gone, and all with it. When the signal fires
 * or a stream fails, all is killed before this rejects.
 */
export async function runInShim(
  ways: ShimWays,
  line: string,
  options: Pick<RunOptions, "signal" | "output" | "piped">,
): Promise<ShimAnswer | undefined> {
  const { signal } = options;
  signal.throwIfAborted();
  const streams = openStreams(ways, options);
  const killNow = (): void => void ways.kill().catch(() => undefined);
  signal.addEventListener("abort", killNow, { once: true });
  try {
    const pumped = streams.pump(killNow);
    ways.send(line);
    const answer = await answerFrom(ways.answers);
    streams.closeWriters();
    streams.stopInput();
    const failed = await pumped;
    signal.throwIfAborted();
    if (failed !== undefined) throw failed.error;
    return answer;
  } finally {
    signal.removeEventListener("abort", killNow);
    streams.close();
    if (signal.aborted) await ways.kill();
  }
}

/** A few processes that wait for their end to be noticed do no harm. */
const zombiesMax = 50;

/** What the shell itself has to say comes first. */
async function answerFrom(answers: Answers): Promise<ShimAnswer | undefined> {
  for (let saidWhy = false; ; saidWhy = true) {
    const answer = await answers.next();
    if (answer === undefined) return undefined;
    if (answer.startsWith("missing "))
      return { kind: "missing", why: answer.slice("missing ".length) };
    const [, exitCode, alive, zombies, ipc] = /^(\d+) (\d+) (\d+) (\d)$/.exec(answer) ?? [];
    if (exitCode === undefined) continue;
    const isClean = alive === "0" && Number(zombies) <= zombiesMax && ipc === "0";
    return { kind: "ended", exitCode: Number(exitCode), saidWhy, isClean };
  }
}
