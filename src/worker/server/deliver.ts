import type { Agent } from "node:http";
import { isCoded } from "../../base/errors.ts";
import type { Clock } from "../../base/clock.ts";
import type { ServerAddress } from "../../runner/index.ts";
import { post, type Post, type PostAnswer } from "./post.ts";
import type { Routes } from "./routes.ts";

/** A server that takes files. */
export interface Receiver {
  readonly agent: Agent;
  readonly address: ServerAddress;
  readonly routes: Routes;
  readonly clock: Clock;
  /** Of one request; 0: as long as it takes. */
  readonly timeoutMs: number;
  /** Told of each try that failed and is repeated. */
  readonly note: (line: string) => void;
}

/** Tries of one file, as in the original. */
export const triesMax = 5;
const delayMsMin = 200;
const delayMsMax = 5_000;

/** What is worth another try: the server may be busy, or has failed itself. */
const transient = new Set([408, 425, 429]);

/**
 * POSTs a file until the server has taken it; undefined then, else why it never will: an answer that no
 * repetition changes, or `triesMax` others.
 */
export async function deliver(
  receiver: Receiver,
  file: Omit<Post, "path">,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { routes, clock, note } = receiver;
  for (let tries = 1; ;) {
    const route = routes.current;
    const path = routes.pathFor(file.name);
    const said = await once(receiver, { ...file, path }, signal);
    if (said === undefined) {
      routes.settle();
      return undefined;
    }
    const { status } = said;
    if (status === 404 && routes.isOtherAfter(route)) continue;
    const text = `POST ${path}: ${said.text}`;
    const isLasting = status > 0 && status < 500 && !transient.has(status);
    if (isLasting) return text;
    if (tries === triesMax) return `${text} (${triesMax} times)`;
    note(`${file.name}: ${text}; try ${tries} of ${triesMax}`);
    await clock.sleep(Math.min(delayMsMax, delayMsMin * 2 ** (tries - 1)), signal);
    tries++;
  }
}

/** One request; undefined when the file was taken, status 0 when there was no answer. */
async function once(
  receiver: Receiver,
  wanted: Post,
  signal: AbortSignal,
): Promise<PostAnswer | undefined> {
  const { clock, timeoutMs } = receiver;
  // Signals cost as much as a small request: there are none where nothing is to be watched.
  const watch = timeoutMs === 0 ? undefined : watched(clock, timeoutMs);
  try {
    const answer = await post(receiver, wanted, signal, watch?.signal);
    return answer.text === "" ? undefined : answer;
  } catch (error) {
    signal.throwIfAborted();
    if (watch?.signal.aborted === true)
      return { status: 0, text: `no whole answer within ${timeoutMs / 1_000} s (timeout)` };
    // Of our own: a body that cannot be read, a disk that is full.
    if (isCoded(error) && error.code !== "unavailable") throw error;
    return { status: 0, text: reasonOf(error) };
  } finally {
    watch?.end();
  }
}

const inTime = new Error("it ended in time");
const tooLate = new Error("it took too long");

/** A signal that fires when the time is over. */
function watched(clock: Clock, timeoutMs: number): { signal: AbortSignal; end: () => void } {
  const overdue = new AbortController();
  const ended = new AbortController();
  clock.sleep(timeoutMs, ended.signal).then(
    () => overdue.abort(tooLate),
    () => undefined,
  );
  return { signal: overdue.signal, end: () => ended.abort(inTime) };
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens",
  ECONNRESET: "the server broke the connection",
  EPIPE: "the server broke the connection",
};

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? String(error.code) : "";
  return reasons[code] ?? error.message;
}
