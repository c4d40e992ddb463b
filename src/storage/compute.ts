import type { CutterState } from "../chunking/index.ts";
import { decodeFrame, encodeFrames, hashRanges, scanWindow } from "./compute-work.ts";

/**
 * A run of bytes from one stream, in a buffer of its own. Whoever passes a window on gives its buffer
 * away and gets it back with the answer: between threads it is moved, not copied.
 */
export interface Window {
  readonly buffer: Buffer;
  /** Where the run begins and ends in the buffer. */
  readonly start: number;
  readonly end: number;
}

export interface ScanTask extends Window {
  /** Up to here the cutter has seen it: the run begins with the open chunk. */
  readonly scanned: number;
  readonly state: CutterState;
  /** The stream ends with this window. */
  readonly last: boolean;
}

/** A range of a buffer, such as a whole chunk in its window. */
export interface BytesRange {
  readonly start: number;
  readonly end: number;
}

export interface Scan {
  readonly buffer: Buffer;
  readonly chunks: readonly BytesRange[];
  /** Where blocks end, as offsets in the stream. */
  readonly blockEnds: readonly number[];
  readonly state: CutterState;
}

export interface HashTask {
  readonly buffer: Buffer;
  readonly ranges: readonly BytesRange[];
}

export interface Hashing {
  readonly buffer: Buffer;
  /** SHA-256 of each range. */
  readonly hashes: readonly Buffer[];
}

export interface EncodeTask {
  readonly buffer: Buffer;
  /** What becomes a frame each. */
  readonly ranges: readonly {
    readonly start: number;
    readonly end: number;
    readonly chunks: number;
  }[];
}

/** A frame ready to be written: `head`, then the bytes it stands for. */
export interface EncodedFrame {
  readonly head: Buffer;
  /** Compressed bytes; undefined when the plain range is stored as it is. */
  readonly packed: Buffer | undefined;
}

export interface Encoding {
  readonly buffer: Buffer;
  readonly frames: readonly EncodedFrame[];
}

/** Where the arithmetic of storage is done: cutting, hashing, compressing. */
export interface Compute {
  /** Finds the chunks of a window. */
  scan(task: ScanTask): Promise<Scan>;
  /** Hashes ranges, which takes several times as long as finding them. */
  hash(task: HashTask): Promise<Hashing>;
  /** Compresses what is worth it, and makes frames. */
  encode(task: EncodeTask): Promise<Encoding>;
  /**
   * Checks a frame and gives back its plain bytes; `frame` is given away.
   *
   * @throws CodedError `data_loss` unless every bit is as it was written
   */
  decode(frame: Buffer): Promise<Buffer>;
  /** Waits for what is being done, then gives up the threads. */
  close(): Promise<void>;
}

/** Does everything at once on the calling thread: for tests, simulations and small tools. */
export function openInlineCompute(): Compute {
  return {
    async scan(task) {
      return scanWindow(task);
    },
    async hash(task) {
      return hashRanges(task);
    },
    async encode(task) {
      return encodeFrames(task);
    },
    async decode(frame) {
      return decodeFrame(frame);
    },
    async close() {},
  };
}
