import type { RecordFormat } from "../chunking/index.ts";
import type { Content, NodeSink } from "./tree/entry.ts";

/** A chunk or node small enough to be kept in the metadata until the drainer packs it. */
export interface InlineChunk {
  readonly hash: Buffer;
  readonly class: PackClass;
  /** Length of the plain bytes. */
  readonly bytes: number;
  /** 0 stored, 1 zstd: as in a frame. */
  readonly codec: number;
  readonly data: Buffer;
}

/** File content and tree nodes live in packs of their own. */
export type PackClass = "data" | "node";

/** A sealed pack, as the transaction that needs it records it. */
export interface PackRecord {
  /** 32 hex characters; the object's key is `packs/<first two>/<id>`. */
  readonly id: string;
  readonly class: PackClass;
  readonly session: string;
  readonly bytes: number;
  readonly chunks: number;
}

/** All that must be recorded in the transaction that makes an ingest visible. */
export interface Sealed {
  readonly packs: readonly PackRecord[];
  readonly inline: readonly InlineChunk[];
}

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
  putContent(source: AsyncIterable<Uint8Array>, format: RecordFormat, signal: AbortSignal): Promise<Content>;
  /** One file whose bytes are at hand; cheaper than a stream of one. */
  putBytes(bytes: Buffer, format: RecordFormat): Promise<Content>;
  /** Where tree nodes of this request go. */
  readonly nodes: NodeSink;
  /** Waits until every pack that holds a chunk of this ingest is durable. No put may follow. */
  seal(): Promise<Sealed>;
  /** Gives up: what was packed becomes garbage. Safe after seal. */
  abort(): void;
}
