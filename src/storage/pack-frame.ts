import type { ChunkRow, PackClass, PackRecord } from "../metadata/index.ts";

/** A chunk in a frame that this session wrote. */
export interface FramedChunk {
  readonly frame: PackFrame;
  readonly hash: Buffer;
  /** Offset in the plain frame. */
  readonly offset: number;
  readonly bytes: number;
}

/** Where a frame of a sealed pack stands. */
export interface FramePlace {
  readonly pack: PackRecord;
  readonly offset: number;
  /** Header included. */
  readonly bytes: number;
}

/** A frame of this session: being filled, being compressed, in an open pack, and at last in a sealed one. */
export class PackFrame {
  readonly class: PackClass;
  readonly chunks: FramedChunk[] = [];
  plainBytes = 0;
  /** Set when its pack is sealed. */
  place: FramePlace | undefined;
  /** Somebody waits for its pack. */
  wanted = false;
  /** All requests that held it let go. */
  isAbandoned = false;
  private holders = 0;
  /** The pack that holds the frame, once sealed; the error of the pack that could not be written. */
  readonly sealed: Promise<PackRecord>;
  private readonly settle: { resolve: (pack: PackRecord) => void; reject: (error: Error) => void };

  constructor(packClass: PackClass) {
    this.class = packClass;
    const { promise, resolve, reject } = Promise.withResolvers<PackRecord>();
    this.sealed = promise;
    this.settle = { resolve, reject };
    // Those who wait see the error; a frame nobody waits for must not end the process.
    promise.catch(() => undefined);
  }

  /** Adds a chunk behind the others. */
  add(hash: Buffer, bytes: number): FramedChunk {
    const chunk = { frame: this, hash, offset: this.plainBytes, bytes };
    this.chunks.push(chunk);
    this.plainBytes += bytes;
    return chunk;
  }

  /** A request is to rely on it. */
  hold(): void {
    this.holders++;
    this.isAbandoned = false;
  }

  /** A request that held it is over. */
  letGo(): void {
    this.holders--;
    this.isAbandoned = this.holders === 0;
  }

  settleAt(place: FramePlace): void {
    this.place = place;
    this.settle.resolve(place.pack);
  }

  fail(error: Error): void {
    this.settle.reject(error);
  }

  /** Rows for the index; the frame must have its place. */
  rows(place: FramePlace): ChunkRow[] {
    return this.chunks.map((chunk) => rowOf(chunk, place));
  }
}

export function rowOf({ hash, offset, bytes }: FramedChunk, place: FramePlace): ChunkRow {
  const { pack, offset: frameOffset, bytes: frameBytes } = place;
  return { hash, pack: pack.id, frameOffset, frameBytes, offset, bytes };
}
