import { blockBytesMin } from "./cutter.ts";
import type { RecordFormat } from "./format.ts";
import { initialJsonState } from "./json-scanner.ts";
import { recordScannerFor, type RecordScanner } from "./record-scanner.ts";

/** Says where the blocks of a stream end, as a Cutter does, for who is not interested in its chunks. Holds no bytes. */
export class BlockEnds {
  private readonly records: RecordScanner;
  /** Bytes of the open block so far. */
  private held = 0;

  constructor(format: RecordFormat) {
    this.records = recordScannerFor(format, initialJsonState());
  }

  /**
   * Takes the next bytes; gives back where blocks end in them, as offsets, ascending. 0 means that one ended
   * with what came before. The last block ends where the stream does, which is not told.
   */
  feed(bytes: Uint8Array): number[] {
    const ends: number[] = [];
    let start = -this.held;
    for (let at = 0; ;) {
      const end = this.records.next(bytes, at, bytes.length, start + blockBytesMin);
      if (end < 0) break;
      at = end;
      if (end - start < blockBytesMin) continue;
      ends.push(end);
      start = end;
    }
    this.held = bytes.length - start;
    return ends;
  }
}
