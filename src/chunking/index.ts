export { recordFormatOf, type RecordFormat } from "./format.ts";
