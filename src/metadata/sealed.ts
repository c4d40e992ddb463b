/** File content and tree nodes live in packs of their own. */
export type PackClass = "data" | "node";

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

/** A sealed pack, as the transaction that needs it records it. */
export interface PackRecord {
  /** 32 hex characters; the object's key is `packs/<first two>/<id>`. */
  readonly id: string;
  readonly class: PackClass;
  readonly session: string;
  /** The epoch its session knew of when it was sealed, or an earlier one. */
  readonly epoch: number;
  readonly bytes: number;
  readonly chunks: number;
}

/** All that must be recorded in the transaction that makes new chunks visible. */
export interface Sealed {
  /** The epoch its session knew of when the writer began. */
  readonly epoch: number;
  readonly packs: readonly PackRecord[];
  /** Ids of packs recorded before that hold what is relied on: they must still be there. */
  readonly kept: readonly string[];
  readonly inline: readonly InlineChunk[];
}

/** Of a write that brings no bytes and relies on no pack. */
export const nothingSealed: Sealed = { epoch: 0, packs: [], kept: [], inline: [] };

/** Where a chunk stands in a pack. */
export interface ChunkRow {
  readonly hash: Buffer;
  readonly pack: string;
  readonly frameOffset: number;
  /** Stored length of the frame, header included. */
  readonly frameBytes: number;
  /** Offset of the chunk in the plain frame. */
  readonly offset: number;
  readonly bytes: number;
}
