import { KeyFinder } from "./key-finder.ts";
import { compareSortKeys, type KeyRules, sortKeyOf } from "./key-rules.ts";
import { lineEnd } from "./lines.ts";

/** Whole lines of one key, which are neighbours. A key with many lines comes in several parts. */
export interface LinesOfKey {
  /** Of the first line of the key: others may be the same number in other digits. */
  readonly key: Buffer;
  /** The first part of its key. */
  readonly begins: boolean;
  /** A view of the slab it came in. */
  readonly lines: Buffer;
  readonly records: number;
}

/**
 * Divides slabs of whole lines in order where their keys change, in the sense of the order: `1` and `01` are one key
 * when keys are numbers.
 */
export async function* groupLines(
  slabs: AsyncIterable<Buffer>,
  rules: KeyRules,
): AsyncGenerator<LinesOfKey, void, void> {
  const finder = new KeyFinder(rules);
  let key: Buffer | undefined;
  let sortKey: Uint8Array = Buffer.alloc(0);
  for await (const slab of slabs) {
    finder.begin(slab);
    let start = 0;
    let records = 0;
    let begins = false;
    for (let at = 0; at < slab.length;) {
      const end = lineEnd(slab, at);
      const next = slab.subarray(at, finder.keyEnd(at, end));
      const nextSortKey = sortKeyOf(next, rules);
      if (key === undefined || compareSortKeys(nextSortKey, sortKey, rules) !== 0) {
        if (key !== undefined && at > start)
          yield { key, begins, lines: slab.subarray(start, at), records };
        // The slab may be gone when the next one comes.
        key = Buffer.from(next);
        sortKey = sortKeyOf(key, rules);
        start = at;
        records = 0;
        begins = true;
      }
      records++;
      at = end + 1;
    }
    if (key !== undefined && start < slab.length)
      yield { key, begins, lines: slab.subarray(start), records };
  }
}
