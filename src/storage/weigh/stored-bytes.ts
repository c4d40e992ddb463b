import type { ObjectStore } from "../../objectstore/index.ts";
import type { ChunkRow } from "../../metadata/index.ts";
import { readFooter, type ChunkIndex } from "../chunk-index.ts";
import { packKey, sharedChunkBytesMax } from "../pack-format.ts";

/** Packs whose frames are remembered: 32 MiB at most. */
const packsMax = 8_192;

/** Where the frames of a pack begin, ascending, and how long each is unpacked. */
interface Frames {
  readonly offsets: Uint32Array;
  readonly plainBytes: Uint32Array;
}

/** Tells what chunks take where they are: those that share a frame take their part of it. */
export class StoredBytes {
  private readonly deps: { readonly objects: ObjectStore; readonly index: ChunkIndex };
  private readonly packs = new Map<string, Promise<Frames>>();

  constructor(deps: { readonly objects: ObjectStore; readonly index: ChunkIndex }) {
    this.deps = deps;
  }

  /** Not a whole number; 0 for a chunk that is nowhere. */
  async of(hash: Buffer, signal: AbortSignal): Promise<number> {
    const located = await this.deps.index.locate(hash, signal);
    if (located === undefined) return 0;
    if (located.kind === "inline") return located.chunk.data.length;
    const { row } = located;
    if (row.bytes > sharedChunkBytesMax) return row.frameBytes;
    return (row.frameBytes * row.bytes) / (await this.plainBytes(row, signal));
  }

  private async plainBytes(row: ChunkRow, signal: AbortSignal): Promise<number> {
    const known = this.packs.get(row.pack);
    const loading = known ?? this.load(row.pack, signal);
    if (known === undefined) this.remember(row.pack, loading);
    const { offsets, plainBytes } = await loading;
    // A frame that the footer does not know: its pack is damaged, and fsck tells.
    return plainBytes[offsets.indexOf(row.frameOffset)] ?? row.bytes;
  }

  private remember(pack: string, loading: Promise<Frames>): void {
    loading.catch(() => this.packs.delete(pack));
    this.packs.set(pack, loading);
    const [oldest] = this.packs.keys();
    if (this.packs.size > packsMax) this.packs.delete(oldest!);
  }

  private async load(pack: string, signal: AbortSignal): Promise<Frames> {
    const { objects } = this.deps;
    const { bytes } = await objects.stat(packKey(pack), { signal });
    const frames = new Map<number, number>();
    for (const row of await readFooter(objects, { id: pack, bytes }, signal))
      frames.set(row.frameOffset, (frames.get(row.frameOffset) ?? 0) + row.bytes);
    return {
      offsets: Uint32Array.from(frames.keys()),
      plainBytes: Uint32Array.from(frames.values()),
    };
  }
}
