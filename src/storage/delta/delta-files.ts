import type { Entry } from "../tree/entry.ts";

/** A delta seen as files: what was added, deletions left out, as entries of a root. */
export async function* deltaFiles(
  delta: AsyncIterable<Entry> | Iterable<Entry>,
): AsyncGenerator<Entry, void, void> {
  for await (const entry of delta) {
    if (entry.type !== "none") yield { ...entry, reset: false, clear: false };
  }
}
