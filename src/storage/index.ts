export { openPoolCompute } from "./compute-pool.ts";
export { applyDelta } from "./delta/apply-delta.ts";
export { foldDeltas } from "./delta/fold-deltas.ts";
export { normalizeRun } from "./delta/normalize-run.ts";
export { stampDelta } from "./delta/stamp-delta.ts";
export { recoverMetadata, type RecoverReport } from "./journal/recover-metadata.ts";
export { StreamSource } from "./extract/byte-source.ts";
export { damagedStream, readParts } from "./extract/extract-format.ts";
export { ContentDigests } from "./content-digests.ts";
export type { Ingest } from "./ingest.ts";
export { openStorage, type Storage } from "./open-storage.ts";
export { wholeContent } from "./open-ingest.ts";
export type { PieceRange } from "./pack-reader.ts";
export { aggregate, digestBelow } from "./tree/aggregate.ts";
export { buildTree, TreeBuilder } from "./tree/build.ts";
export { contentDigest } from "./tree/content-format.ts";
export { diff, type Difference } from "./tree/diff.ts";
export { isBelow, keyAfter, parentKey, subtreeEnd } from "./tree/key-range.ts";
export {
  emptyContent,
  emptyTree,
  type Content,
  type Entry,
  type NodeSource,
  type Piece,
  type TreeRef,
} from "./tree/entry.ts";
export { find, finder } from "./tree/find.ts";
export { buildList } from "./tree/list.ts";
export { listChildren } from "./tree/list-children.ts";
export { openMemNodes, overlayNodes } from "./tree/mem-nodes.ts";
export { decodePieces, encodePieces } from "./tree/pieces-format.ts";
export { piecesOf } from "./tree/pieces-of.ts";
export { decodeRun, encodeRun } from "./tree/run-format.ts";
export { updateTree } from "./tree/update.ts";
export { scan, scanRuns } from "./tree/scan.ts";
export { decodeTreeRef, encodeTreeRef } from "./tree/tree-ref-format.ts";
