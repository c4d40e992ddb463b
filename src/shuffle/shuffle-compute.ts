import { BatchSorter, type BatchSorterOptions, type Sorted } from "./batch-sorter.ts";
import { decodeBlock, encodeBlock, type StoredBlock } from "./block-codec.ts";
import { type Fed, type Merged, Merger, type MergerOptions } from "./merger.ts";
import type { StoredAs } from "./run-format.ts";

/** Compresses and checks blocks; buffers given to it are given away, and it gives away those that it answers with. */
export interface BlockCodec {
  encode(plain: Buffer): Promise<StoredBlock>;
  /** @throws CodedError `data_loss` unless every bit is as it was written; `name` is that of the run */
  decode(stored: Buffer, block: StoredAs, name: string): Promise<Buffer>;
}

/** A codec with a place of its own. */
export interface CodecPort extends BlockCodec {
  close(): Promise<void>;
}

/** Sorts memory full of lines; buffers given to it are given away, and it gives away those that it answers with. */
export interface SorterPort extends CodecPort {
  /** Takes an arena whose first `end` bytes are whole lines. */
  load(arena: Buffer, end: number): Promise<void>;
  /** The next blocks of what was loaded, at least one and about `bytesMax` bytes. */
  take(bytesMax: number): Promise<Sorted>;
  /** Gives its memory back; calls under way may fail. */
  close(): Promise<void>;
}

/** Merges sorted streams, fed block by block; buffers are given away as by a sorter. */
export interface MergerPort {
  step(fed: readonly Fed[]): Promise<Merged>;
  /** Gives its memory back; calls under way may fail. */
  close(): Promise<void>;
}

/** Where the arithmetic of the shuffle is done. Sorters and mergers never wait for one another. */
export interface ShuffleCompute {
  /** How many sorters or mergers really work at the same time. */
  readonly parallel: number;
  openSorter(options: BatchSorterOptions): Promise<SorterPort>;
  openMerger(options: MergerOptions): Promise<MergerPort>;
  openCodec(): Promise<CodecPort>;
  /** Ends the threads; what is open fails. */
  close(): Promise<void>;
}

/** Does everything at once on the calling thread: for tests and small tools. */
export function openInlineShuffleCompute(): ShuffleCompute {
  const codec: CodecPort = {
    async encode(plain) {
      return encodeBlock(plain);
    },
    async decode(stored, block, name) {
      return decodeBlock(stored, block, name);
    },
    async close() {},
  };
  return {
    parallel: 1,
    async openSorter(options) {
      const sorter = new BatchSorter(options);
      return {
        ...codec,
        async load(arena, end) {
          sorter.load(arena, end);
        },
        async take(bytesMax) {
          return sorter.take(bytesMax);
        },
      };
    },
    async openMerger(options) {
      const merger = new Merger(options);
      return {
        async step(fed) {
          return merger.step(fed);
        },
        async close() {},
      };
    },
    async openCodec() {
      return codec;
    },
    async close() {},
  };
}
