export { BlockEnds } from "./block-ends.ts";
export {
  atChunkStart,
  blockBytesMin,
  Cutter,
  initialCutterState,
  type Cuts,
  type CutterState,
} from "./cutter.ts";
export { recordFormatOf, type RecordFormat } from "./format.ts";
export { chunkBytesMax, chunkBytesMin } from "./gear.ts";
export { jsonValueEnds } from "./json-scanner.ts";
