import type { ChunkRow } from "../metadata/index.ts";
import { rowOf, type FramedChunk, type PackFrame } from "./pack-frame.ts";

/** Chunks of sealed packs kept in memory; about 200 bytes each. */
const sealedChunksMax = 131_072;

interface SealedPack {
  readonly frames: readonly PackFrame[];
  readonly chunks: number;
}

/**
 * The chunks this session has written and that the metadata cannot find yet: those in frames on their
 * way and those in sealed packs not indexed. Forgetting a sealed one costs a second copy, nothing else.
 */
export class SessionChunks {
  private readonly epochNow: () => number;
  private readonly chunks = new Map<string, { frame: PackFrame; chunk: FramedChunk }>();
  private readonly sealedPacks = new Map<string, SealedPack>();
  private sealedChunks = 0;

  /** @param epochNow as the session knows it. Default: there is none */
  constructor(epochNow: () => number = () => 0) {
    this.epochNow = epochNow;
  }

  /**
   * The frame that holds a chunk or will. Not one sealed before garbage collection looked last: should
   * its pack not be recorded, it is gone.
   */
  frameOf(hash: Buffer): PackFrame | undefined {
    const frame = this.chunks.get(keyOf(hash))?.frame;
    const isOld = frame?.place !== undefined && frame.place.pack.epoch < this.epochNow();
    return isOld ? undefined : frame;
  }

  /** Where a chunk of a sealed pack is. */
  rowOf(hash: Buffer): ChunkRow | undefined {
    const entry = this.chunks.get(keyOf(hash));
    return entry?.frame.place && rowOf(entry.chunk, entry.frame.place);
  }

  /** Puts a chunk into a frame; from here on it is found. */
  add(frame: PackFrame, hash: Buffer, bytes: number): void {
    this.chunks.set(keyOf(hash), { frame, chunk: frame.add(hash, bytes) });
  }

  /** A pack was sealed; its frames know their place. */
  keepSealed(id: string, frames: readonly PackFrame[]): void {
    const chunks = frames.reduce((sum, frame) => sum + frame.chunks.length, 0);
    this.sealedPacks.set(id, { frames, chunks });
    this.sealedChunks += chunks;
    for (const oldest of this.sealedPacks.keys()) {
      if (this.sealedChunks <= sealedChunksMax) break;
      this.forgetPack(oldest);
    }
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
