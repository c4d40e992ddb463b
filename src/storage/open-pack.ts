import type { ObjectStore, ObjectWriter } from "../objectstore/index.ts";
import type { PackRecord } from "../metadata/index.ts";
import {
  encodeFooter,
  encodePackHeader,
  footerBytesFor,
  packBytesMaxOf,
  packChunksMax,
  packHeaderBytes,
  packKey,
  type FooterFrame,
} from "./pack-format.ts";
import type { PackFrame } from "./pack-frame.ts";

interface PlacedFrame {
  readonly frame: PackFrame;
  readonly offset: number;
  readonly bytes: number;
}

/** A pack being written. Calls must not overlap. */
export class OpenPack {
  private readonly id: string;
  private readonly writer: ObjectWriter;
  private readonly placed: PlacedFrame[] = [];
  private bytes = packHeaderBytes;
  private chunks = 0;

  private constructor(id: string, writer: ObjectWriter) {
    this.id = id;
    this.writer = writer;
  }

  static async create(objects: ObjectStore, id: string): Promise<OpenPack> {
    const writer = await objects.create(packKey(id), {});
    const pack = new OpenPack(id, writer);
    try {
      await writer.write([encodePackHeader()]);
      return pack;
    } catch (error) {
      await pack.abort();
      throw error;
    }
  }

  get frames(): PackFrame[] {
    return this.placed.map(({ frame }) => frame);
  }

  /** Somebody waits for this pack. */
  get isWanted(): boolean {
    return this.placed.some(({ frame }) => frame.wanted);
  }

  /** Nobody is to rely on it. */
  get isAbandoned(): boolean {
    return this.placed.every(({ frame }) => frame.isAbandoned);
  }

  /** True when a frame of `bytes` would make the pack too long. */
  isFullFor(frame: PackFrame, bytes: number): boolean {
    const footer = footerBytesFor(this.placed.length + 1, this.chunks + frame.chunks.length);
    if (this.placed.length === 0) return false;
    const chunks = this.chunks + frame.chunks.length;
    return this.bytes + bytes + footer > packBytesMaxOf[frame.class] || chunks > packChunksMax;
  }

  /** Appends a frame, given as its parts. */
  async add(frame: PackFrame, parts: readonly Buffer[]): Promise<void> {
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    // Placed before it is written: a failed write loses it with the rest of the pack.
    this.placed.push({ frame, offset: this.bytes, bytes });
    this.bytes += bytes;
    this.chunks += frame.chunks.length;
    await this.writer.write(parts);
  }

  /** Makes the pack durable; tells each frame its place. */
  async seal(of: Pick<PackRecord, "session" | "epoch" | "class">): Promise<PackRecord> {
    const footer = encodeFooter(
      this.placed.map(({ frame, bytes }): FooterFrame => ({ bytes, chunks: frame.chunks })),
    );
    await this.writer.write([footer]);
    await this.writer.seal();
    const pack: PackRecord = {
      id: this.id,
      ...of,
      bytes: this.bytes + footer.length,
      chunks: this.chunks,
    };
    for (const { frame, offset, bytes } of this.placed) frame.settleAt({ pack, offset, bytes });
    return pack;
  }

  /** Leaves nothing behind. */
  async abort(): Promise<void> {
    await this.writer.abort();
  }
}
