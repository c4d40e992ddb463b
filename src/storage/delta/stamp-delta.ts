import type { Entry } from "../tree/entry.ts";

/** A delta as another commit's: after a squash or a replay its entries name the commit they came to. */
export async function* stampDelta(
  delta: AsyncIterable<Entry> | Iterable<Entry>,
  commit: Buffer,
): AsyncGenerator<Entry, void, void> {
  for await (const entry of delta) yield { ...entry, commit };
}
