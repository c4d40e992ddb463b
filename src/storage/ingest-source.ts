/**
 * The slices of a source, for a reader that does not wait for them once the signal fires. The source's
 * own error comes through as it is.
 */
export async function* slicesOf(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  signal.throwIfAborted();
  const slices = source[Symbol.asyncIterator]();
  let stopWaiting = (): void => undefined;
  const onAbort = (): void => {
    stopWaiting();
  };
  signal.addEventListener("abort", onAbort, { once: true });
  let isOver = false;
  try {
    for (;;) {
      // A promise of its own for each slice: Promise.race with one that never settles would keep them all.
      const next = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        stopWaiting = () => {
          reject(signal.reason as Error);
        };
        slices.next().then(resolve, reject);
      }).catch((error: unknown) => {
        isOver = !signal.aborted;
        throw error;
      });
      isOver = next.done === true;
      if (next.done === true) return;
      yield next.value;
      signal.throwIfAborted();
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    // Not awaited: a source that hangs would hang here again.
    if (!isOver) slices.return?.().catch(() => undefined);
  }
}
