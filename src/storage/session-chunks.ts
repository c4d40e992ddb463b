import type { ChunkRow } from "../metadata/index.ts";
import { rowOf, type FramedChunk, type PackFrame } from "./pack-frame.ts";

/** Chunks of sealed packs kept in memory; about 200 bytes each. */
const sealedChunksDefault = 131_072;

interface SealedPack {
  readonly frames: readonly PackFrame[];
  readonly chunks: number;
}

/**
 * The chunks this session has written and that the metadata cannot find yet: those in frames on their
 * way and those in sealed packs not indexed. Forgetting a sealed one costs a second copy, nothing else,
 * but nodes that a request under way may read again: until it is recorded nobody else knows them.
 */
export class SessionChunks {
  private readonly epochNow: () => number;
  private readonly chunks = new Map<string, FramedChunk>();
  private readonly sealedPacks = new Map<string, SealedPack>();
  private readonly pinned = new Map<string, number>();
  private sealedChunks = 0;
  private readonly sealedChunksMax: number;

  /**
   * @param epochNow as the session knows it. Default: there is none
   * @param sealedChunksMax when there are more, the oldest packs that may be forgotten are
   */
  constructor(epochNow: () => number = () => 0, sealedChunksMax = sealedChunksDefault) {
    this.epochNow = epochNow;
    this.sealedChunksMax = sealedChunksMax;
  }

  /**
   * The frame that holds a chunk or will. Not one sealed before garbage collection looked last: should
   * its pack not be recorded, it is gone.
   *
   * @param key keyOf() the hash, when the caller has it
   */
  frameOf(hash: Buffer, key = keyOf(hash)): PackFrame | undefined {
    const frame = this.chunks.get(key)?.frame;
    const isOld = frame?.place !== undefined && frame.place.pack.epoch < this.epochNow();
    return isOld ? undefined : frame;
  }

  /** Where a chunk of a sealed pack is. */
  rowOf(hash: Buffer): ChunkRow | undefined {
    const chunk = this.chunks.get(keyOf(hash));
    return chunk?.frame.place && rowOf(chunk, chunk.frame.place);
  }

  /** Puts a chunk into a frame; from here on it is found. */
  add(frame: PackFrame, hash: Buffer, bytes: number, key = keyOf(hash)): void {
    this.chunks.set(key, frame.add(hash, bytes));
  }

  /** A pack was sealed; its frames know their place. */
  keepSealed(id: string, frames: readonly PackFrame[]): void {
    const chunks = frames.reduce((sum, frame) => sum + frame.chunks.length, 0);
    this.sealedPacks.set(id, { frames, chunks });
    this.sealedChunks += chunks;
    for (const oldest of this.sealedPacks.keys()) {
      if (this.sealedChunks <= this.sealedChunksMax) break;
      if (!this.pinned.has(oldest)) this.forgetPack(oldest);
    }
  }

  /** Until the returned function is called, once, the pack is not forgotten to make room. */
  pin(id: string): () => void {
    this.pinned.set(id, (this.pinned.get(id) ?? 0) + 1);
    return () => {
      const left = (this.pinned.get(id) ?? 0) - 1;
      if (left > 0) this.pinned.set(id, left);
      else this.pinned.delete(id);
    };
  }

  /** The rows of a sealed pack, unless forgotten. */
  rowsOfPack(id: string): ChunkRow[] | undefined {
    return this.sealedPacks.get(id)?.frames.flatMap((frame) => frame.rows(frame.place!));
  }

  /** The pack is indexed, or gone. */
  forgetPack(id: string): void {
    const pack = this.sealedPacks.get(id);
    if (pack === undefined) return;
    this.sealedPacks.delete(id);
    this.sealedChunks -= pack.chunks;
    for (const frame of pack.frames) this.forgetFrame(frame);
  }

  /** The frame was lost, or its pack is forgotten. */
  forgetFrame(frame: PackFrame): void {
    for (const { hash } of frame.chunks) {
      const key = keyOf(hash);
      if (this.chunks.get(key)?.frame === frame) this.chunks.delete(key);
    }
  }
}

/** A hash as a key of a map. */
export function keyOf(hash: Buffer): string {
  return hash.toString("latin1");
}
