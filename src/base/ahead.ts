/** Something begun before its turn, and how much memory it takes. */
export interface Begun<T> {
  readonly value: T;
  readonly bytes: number;
}

/** How far ahead of the reader. */
export interface AheadLimits {
  readonly countMax: number;
  readonly bytesMax: number;
}

/**
 * The items of a source as `begin` gives them, in order, begun a little before the reader asks for them:
 * so many at most, and of so many bytes but for a single one.
 */
export async function* ahead<S, T>(
  source: AsyncIterable<S> | Iterable<S>,
  begin: (item: S) => Begun<T>,
  { countMax, bytesMax }: AheadLimits,
): AsyncGenerator<T, void, void> {
  const queue: Begun<T>[] = [];
  let bytes = 0;
  for await (const item of source) {
    const begun = begin(item);
    queue.push(begun);
    bytes += begun.bytes;
    while (queue.length > 1 && (queue.length > countMax || bytes > bytesMax)) {
      const first = queue.shift()!;
      yield first.value;
      bytes -= first.bytes;
    }
  }
  for (const { value } of queue) yield value;
}
