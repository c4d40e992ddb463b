/** The runs of a runner that have not ended: they end when it is closed. */
export class RunsUnderWay {
  private readonly closing = new AbortController();
  private readonly runs = new Set<Promise<unknown>>();

  /** Does one; the signal that it is given fires with the caller's, and when the runner is closed. */
  async add<T>(callers: AbortSignal, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const signal = AbortSignal.any([callers, this.closing.signal]);
    signal.throwIfAborted();
    const one = run(signal);
    this.runs.add(one);
    try {
      return await one;
    } finally {
      this.runs.delete(one);
    }
  }

  /** Stops all, and waits until they have ended. */
  async close(): Promise<void> {
    this.closing.abort();
    await Promise.allSettled(this.runs);
  }
}
