import type { RecordFormat } from "../chunking/index.ts";
import type { InlineChunk, PackClass, PackRecord, Sealed } from "../metadata/index.ts";
import type { Content, NodeSink } from "./tree/entry.ts";

export type { InlineChunk, PackClass, PackRecord, Sealed };

/**
 * The bytes of one request on their way in. Small requests stay in memory and leave as inline
 * chunks; larger ones go to packs as they come. Nothing is visible to others until the caller
 * records what `seal` returned.
 */
export interface Ingest {
  /**
   * Cuts, hashes and stores one stream: the content of one put. The put's end is a block end.
   * Calls may overlap; each holds a bounded number of bytes. Rejects with the source's own error.
   */
  putContent(
    source: AsyncIterable<Uint8Array>,
    format: RecordFormat,
    signal: AbortSignal,
  ): Promise<Content>;
  /** One file whose bytes are at hand; cheaper than a stream of one. */
  putBytes(bytes: Buffer, format: RecordFormat): Promise<Content>;
  /**
   * Stores chunks whose hashes are known to be theirs, as they are: parts of a buffer that is given away.
   * Resolves when the next ones may come.
   */
  putChunks(
    packClass: PackClass,
    chunks: readonly { readonly hash: Buffer; readonly start: number; readonly end: number }[],
    buffer: Buffer,
  ): Promise<void>;
  /**
   * Small files whose bytes follow one another in a buffer, which is given away; cheaper by far than one after
   * the other. None may be longer than 128 KiB.
   *
   * @param sizes in bytes, of each file
   */
  putBatch(buffer: Buffer, sizes: readonly number[]): Promise<Content[]>;
  /** Where tree nodes of this request go. */
  readonly nodes: NodeSink;
  /** Waits until every pack that holds a chunk of this ingest is durable. No put may follow. */
  seal(): Promise<Sealed>;
  /**
   * It is over: what has been packed and not recorded becomes garbage. Called at the end of each ingest,
   * however it went; `error` is what the recording was refused with.
   */
  end(error?: unknown): void;
}
