import type { KeyRules } from "./key-rules.ts";
import { keyRules, newline, tab } from "./key-rules.ts";
import type { Partitioner } from "./partitioners.ts";

/** How one of the original programs divided and ordered what mappers print. */
export interface OriginalRules {
  readonly rules: KeyRules;
  readonly partitioner: Partitioner;
}

/** qfs_mapred: the first field is the key; partitions by signed CRC-32. Its lines are cut by cutAfterSecondField(). */
export const qfsRules: OriginalRules = { rules: keyRules(), partitioner: { kind: "crc32" } };

/** kubemr: whole lines are sorted; the word count partitions by FNV-1a of the word, five ways. */
export const kubemrRules: OriginalRules = {
  rules: keyRules({ keyFields: 0 }),
  partitioner: { kind: "fnv1a", fields: 1 },
};

/** pfs 0.4: Adler-32 of the key. */
export const pfsRules: OriginalRules = { rules: keyRules(), partitioner: { kind: "adler32" } };

/**
 * What qfs_mapred keeps of a line: the first two fields and the newline. It crashed on a line without a tab; here such
 * a line keeps its one field.
 */
export function cutAfterSecondField(line: Buffer): Buffer {
  const first = line.indexOf(tab);
  const second = first < 0 ? -1 : line.indexOf(tab, first + 1);
  if (second < 0) return line;
  const kept = line.subarray(0, second);
  return line.at(-1) === newline ? Buffer.concat([kept, Buffer.of(newline)]) : kept;
}
