import type { RecordFormat } from "./format.ts";
import { JsonScanner, type JsonState } from "./json-scanner.ts";

/** Finds the ends of records in a stream that is shown to it in order, slice by slice. */
export interface RecordScanner {
  /**
   * Looks through `bytes[from, to)`, which follow what was looked through before, for the first record
   * end at index `want` or later. A record end is the index after the record's last byte.
   *
   * @returns that index, from which the next call goes on; -1 when there is none, then from `to`
   */
  next(bytes: Uint8Array, from: number, to: number, want: number): number;
}

const newline = 0x0a;

const lineScanner: RecordScanner = {
  next(bytes, from, to, want) {
    const start = Math.max(from, want - 1);
    if (start >= to) return -1;
    const found = bytes.subarray(start, to).indexOf(newline);
    return found < 0 ? -1 : start + found + 1;
  },
};

const binaryScanner: RecordScanner = { next: () => -1 };

/** The scanner of a format. JSON keeps its place in `json`; the others need none. */
export function recordScannerFor(format: RecordFormat, json: JsonState): RecordScanner {
  switch (format) {
    case "line":
      return lineScanner;
    case "json":
      return new JsonScanner(json);
    case "binary":
      return binaryScanner;
  }
}
