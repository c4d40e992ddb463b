import { isCoded } from "../base/errors.ts";
import type { ByteRange, ViewRef } from "../model/claimed-task.ts";
import type { WorkerOptions } from "./worker-options.ts";

const firstDelayMs = 500;
const delayMsMax = 5_000;

/**
 * Reads a range of a file of a view and goes on where it was when the host is away for a while: that is no failure of
 * the task as long as the lease holds.
 */
export async function* readSteadily(
  { host, clock }: Pick<WorkerOptions, "host" | "clock">,
  { view, path, range }: { view: ViewRef; path: string; range: ByteRange },
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  let { start } = range;
  for (let delayMs = firstDelayMs; ; delayMs = Math.min(delayMsMax, delayMs * 2)) {
    try {
      for await (const piece of host.readFile(view, path, signal, { start, end: range.end })) {
        start += piece.length;
        delayMs = firstDelayMs;
        yield piece;
      }
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (!isCoded(error, "unavailable")) throw error;
      await clock.sleep(delayMs, signal);
    }
  }
}
