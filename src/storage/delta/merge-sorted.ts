import { assert } from "../../base/assert.ts";
import type { Entry } from "../tree/entry.ts";

/** An entry, and which of several writes it belongs to: a greater rank came later. */
export interface Ranked {
  readonly entry: Entry;
  readonly rank: number;
}

/** All that was said about one key, in order of rank. */
export interface KeyGroup {
  readonly key: Buffer;
  readonly said: readonly Ranked[];
}

/** Streams whose first entry is waited for at a time. */
const openedAtOnce = 16;

type Source = AsyncIterator<Entry> | Iterator<Entry>;

interface Head extends Ranked {
  readonly source: Source;
}

/**
 * Brings the entries of several sorted streams together key by key; the rank of an entry is the place
 * of its stream. Memory: one entry a stream. Closes the streams, however it ends.
 */
export async function* mergeSorted(
  streams: readonly (AsyncIterable<Entry> | Iterable<Entry>)[],
): AsyncGenerator<KeyGroup, void, void> {
  const sources = streams.map((stream) => iteratorOf(stream));
  const heap: Head[] = [];
  try {
    for (let rank = 0; rank < sources.length; rank += openedAtOnce) {
      const opened = sources.slice(rank, rank + openedAtOnce);
      await Promise.all(
        opened.map(async (source, i) => {
          await pull(heap, source, rank + i);
        }),
      );
    }
    for (let head = heap[0]; head !== undefined; head = heap[0]) {
      const { key } = head.entry;
      const said: Ranked[] = [];
      for (let next = heap[0]; next !== undefined && next.entry.key.equals(key); next = heap[0]) {
        said.push({ entry: next.entry, rank: next.rank });
        removeFirst(heap);
        await pull(heap, next.source, next.rank);
        assert(
          heap.at(0) === undefined || compare(heap[0]!, next) > 0,
          "the entries of a delta come in order",
        );
      }
      yield { key, said };
    }
  } finally {
    for (const source of sources) await source.return?.();
  }
}

function iteratorOf(stream: AsyncIterable<Entry> | Iterable<Entry>): Source {
  return Symbol.asyncIterator in stream
    ? stream[Symbol.asyncIterator]()
    : stream[Symbol.iterator]();
}

async function pull(heap: Head[], source: Source, rank: number): Promise<void> {
  const next = await source.next();
  if (next.done !== true) insert(heap, { entry: next.value, rank, source });
}

function compare(a: Ranked, b: Ranked): number {
  return Buffer.compare(a.entry.key, b.entry.key) || a.rank - b.rank;
}

/** Binary heap, least first. */
function insert(heap: Head[], head: Head): void {
  let at = heap.push(head) - 1;
  while (at > 0) {
    const above = (at - 1) >>> 1;
    if (compare(heap[above]!, head) <= 0) break;
    heap[at] = heap[above]!;
    at = above;
  }
  heap[at] = head;
}

function removeFirst(heap: Head[]): void {
  const moved = heap.pop();
  if (moved === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    let below = 2 * at + 1;
    if (below + 1 < heap.length && compare(heap[below + 1]!, heap[below]!) < 0) below++;
    if (below >= heap.length || compare(heap[below]!, moved) >= 0) break;
    heap[at] = heap[below]!;
    at = below;
  }
  heap[at] = moved;
}
