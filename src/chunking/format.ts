/** Where records end, and so where blocks may: newline, top-level JSON value, or only where a put ends. */
export type RecordFormat = "line" | "json" | "binary";

/** The format of a file by its suffix (seed 002 chapter 19.5). */
export function recordFormatOf(path: string): RecordFormat {
  if (path.endsWith(".json")) return "json";
  return path.endsWith(".bin") ? "binary" : "line";
}
