import { assert } from "../base/assert.ts";
import { MiB } from "../base/size.ts";
import type { RecordFormat } from "./format.ts";
import { chunkBytesMax, chunkBytesMin, recordSearchBytes } from "./gear.ts";
import { initialJsonState, type JsonState } from "./json-scanner.ts";
import { recordScannerFor, type RecordScanner } from "./record-scanner.ts";
import { scanGear } from "./scan-gear.ts";

/** A block ends at the first record end at or after this many bytes, and where its put ends. */
export const blockBytesMin = 8 * MiB;

/** Offsets in the stream, ascending. */
export interface Cuts {
  /** Where chunks end. */
  readonly chunks: number[];
  /** Where blocks end. Every one up to the last chunk end reported has been reported with it or before. */
  readonly blocks: number[];
}

/** Bytes of the stream from offset `base` on. */
interface Slice {
  readonly bytes: Uint8Array;
  readonly base: number;
}

/** A cutter between two slices. Plain data: it crosses threads. Offsets are those of the stream. */
export interface CutterState {
  readonly format: RecordFormat;
  /** Bytes fed so far. */
  fed: number;
  /** Where the open chunk starts. */
  chunkStart: number;
  /** Where the open block starts. */
  blockStart: number;
  /** Where the hash goes on; bytes before are skipped or hashed. */
  gearAt: number;
  hash: number;
  /** A cut the hash proposed and that waits for a record end; -1 for none. */
  proposed: number;
  /** Where the search for record ends goes on. */
  recordAt: number;
  json: JsonState;
}

export function initialCutterState(format: RecordFormat): CutterState {
  return {
    format,
    fed: 0,
    chunkStart: 0,
    blockStart: 0,
    gearAt: chunkBytesMin,
    hash: 0,
    proposed: -1,
    recordAt: 0,
    json: initialJsonState(),
  };
}

/** The state of one that is fed again from where the open chunk starts: it says what this one would have said. */
export function atChunkStart(state: CutterState): CutterState {
  const { chunkStart, json } = state;
  return {
    ...state,
    fed: chunkStart,
    gearAt: chunkStart + chunkBytesMin,
    hash: 0,
    proposed: -1,
    json: { ...json },
  };
}

/**
 * Says where a stream is cut into chunks and where its blocks end. The rules are part of the format:
 * docs/formats/chunks.md. The answers depend on the bytes alone, never on how they were sliced. Holds
 * no bytes; a cut may lie up to 64 KiB behind what was fed.
 */
export class Cutter {
  readonly state: CutterState;
  private readonly records: RecordScanner;

  constructor(format: RecordFormat, state: CutterState = initialCutterState(format)) {
    assert(state.format === format, "a cutter's state belongs to another format");
    this.state = state;
    this.records = recordScannerFor(format, state.json);
  }

  /** Takes the next bytes; gives back what they decided. */
  feed(bytes: Uint8Array): Cuts {
    const state = this.state;
    const cuts: Cuts = { chunks: [], blocks: [] };
    const slice = { bytes, base: state.fed };
    state.fed += bytes.length;
    for (;;) {
      if (state.proposed < 0) propose(state, slice);
      if (state.proposed < 0) {
        while (this.nextRecordEnd(slice, { to: state.fed, want: Infinity }, cuts) >= 0);
        return cuts;
      }
      if (state.format === "binary") this.cutAt(state.proposed, cuts);
      else if (!this.settle(slice, cuts)) return cuts;
    }
  }

  /** The stream ends here: so do its last chunk and its last block. */
  end(): Cuts {
    const { fed, chunkStart, blockStart } = this.state;
    return { chunks: fed > chunkStart ? [fed] : [], blocks: fed > blockStart ? [fed] : [] };
  }

  /** Moves the proposed cut to a record end near it. False when more bytes are needed to decide. */
  private settle(slice: Slice, cuts: Cuts): boolean {
    const state = this.state;
    const { proposed, chunkStart } = state;
    const endMax = Math.min(proposed + recordSearchBytes, chunkStart + chunkBytesMax);
    // One byte further: the end of a JSON number shows in the byte after it.
    const to = Math.min(state.fed, endMax + 1);
    for (;;) {
      const end = this.nextRecordEnd(slice, { to, want: proposed }, cuts);
      if (end >= proposed && end <= endMax) {
        this.cutAt(end, cuts);
        return true;
      }
      if (end >= 0) continue;
      if (to <= endMax) return false;
      this.cutAt(proposed, cuts);
      return true;
    }
  }

  /** The next record end before `to` that a chunk (from `want` on) or a block wants; notes the block's end. */
  private nextRecordEnd(
    { bytes, base }: Slice,
    chunk: { to: number; want: number },
    cuts: Cuts,
  ): number {
    const state = this.state;
    const blockWant = state.blockStart + blockBytesMin;
    const want = Math.min(chunk.want, blockWant);
    const found = this.records.next(bytes, state.recordAt - base, chunk.to - base, want - base);
    if (found < 0) {
      state.recordAt = Math.max(state.recordAt, chunk.to);
      return -1;
    }
    const end = base + found;
    state.recordAt = end;
    if (end >= blockWant) {
      cuts.blocks.push(end);
      state.blockStart = end;
    }
    return end;
  }

  private cutAt(offset: number, cuts: Cuts): void {
    const state = this.state;
    cuts.chunks.push(offset);
    state.chunkStart = offset;
    state.gearAt = offset + chunkBytesMin;
    state.hash = 0;
    state.proposed = -1;
  }
}

/** Runs the hash on to the next proposal, at the latest where the chunk must end. */
function propose(state: CutterState, { bytes, base }: Slice): void {
  const forced = state.chunkStart + chunkBytesMax;
  const stop = Math.min(state.fed, forced);
  if (state.gearAt >= stop) return;
  const found = scanGear(state, bytes, state.gearAt - base, stop - base);
  state.gearAt = found < 0 ? stop : base + found;
  if (found >= 0) state.proposed = state.gearAt;
  else if (stop === forced) state.proposed = forced;
}
