export {
  cutAfterSecondField,
  kubemrRules,
  type OriginalRules,
  pfsRules,
  qfsRules,
} from "./original-rules.ts";
export { groupLines, type LinesOfKey } from "./group-lines.ts";
export { boundariesOf } from "./boundaries.ts";
export { compareKeys, keyOf, keyRules, type KeyRules } from "./key-rules.ts";
export { mergeRuns, type MergeOptions } from "./merge-runs.ts";
export { freeMemory } from "./own-memory.ts";
export { type Partitioner, partitionOf, type PartitionOf, partitionsMax } from "./partitioners.ts";
export { type KeyRange, readRunIndex } from "./read-run.ts";
export type { BlockInfo, RunIndex } from "./run-format.ts";
export type { ShuffleFs } from "./run-folder.ts";
export { fileRunSource, type RunSource } from "./run-source.ts";
export type { Run } from "./run-writer.ts";
export { openInlineShuffleCompute, type ShuffleCompute } from "./shuffle-compute.ts";
export { openThreadShuffleCompute } from "./shuffle-threads.ts";
export {
  type Combine,
  type PartitionRun,
  sortIntoRuns,
  type SortOptions,
  type SortResult,
} from "./sort-into-runs.ts";
