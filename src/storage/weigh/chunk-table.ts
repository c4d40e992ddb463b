import { hashBytes } from "../tree/entry.ts";

const slotBytes = hashBytes + 8;
/** The first two bytes of a hash, as a number, are below this. */
export const partEnd = 0x1_0000;

/** A chunk as the table keeps it. */
export interface TabledChunk {
  readonly hash: Buffer;
  readonly bytes: number;
  readonly isShared: boolean;
}

/**
 * Chunks by their hash, and of each whether something else refers to it too. Holds those of a part of all hashes,
 * which becomes smaller when there are too many.
 */
export class ChunkTable {
  /** First of its part, as the first two bytes of a hash. */
  readonly from: number;
  /** Behind the last. */
  until = partEnd;
  private readonly countMax: number;
  private slots = Buffer.alloc(1_024 * slotBytes);
  private count = 0;

  /** @param countMax memory is bounded by 160 bytes for each */
  constructor(from: number, countMax: number) {
    this.from = from;
    this.countMax = countMax;
  }

  /** Adds a chunk, unless it is of another part. */
  add(hash: Buffer, bytes: number): void {
    if (!this.covers(hash)) return;
    const at = this.slotOf(hash);
    if (!this.isFree(at)) return;
    this.fill(at, hash, { bytes, isShared: false });
    while (this.count > this.countMax && this.until - this.from > 1) this.narrow();
    if (this.count * 2 > this.slots.length / slotBytes) this.rebuild(this.slots.length * 2);
  }

  /** Says that something else refers to a chunk, if it is in here. */
  share(hash: Buffer): void {
    if (!this.covers(hash)) return;
    const at = this.slotOf(hash);
    if (!this.isFree(at)) this.slots.writeUInt32LE(1, at + hashBytes + 4);
  }

  /** All there are. */
  *chunks(): Generator<TabledChunk, void, void> {
    for (let at = 0; at < this.slots.length; at += slotBytes)
      if (!this.isFree(at)) yield { ...this.factsAt(at), hash: this.hashAt(at) };
  }

  private covers(hash: Buffer): boolean {
    const part = hash.readUInt16BE(0);
    return part >= this.from && part < this.until;
  }

  private slotOf(hash: Buffer): number {
    const slots = this.slots.length / slotBytes;
    // The first bytes say which part it is of: they are much the same for all.
    let slot = hash.readUInt32LE(8) % slots;
    for (;;) {
      const at = slot * slotBytes;
      if (this.isFree(at) || hash.compare(this.slots, at, at + hashBytes) === 0) return at;
      slot = (slot + 1) % slots;
    }
  }

  /** No chunk is empty. */
  private isFree(at: number): boolean {
    return this.slots.readUInt32LE(at + hashBytes) === 0;
  }

  private fill(at: number, hash: Buffer, facts: { bytes: number; isShared: boolean }): void {
    hash.copy(this.slots, at, 0, hashBytes);
    this.slots.writeUInt32LE(facts.bytes, at + hashBytes);
    this.slots.writeUInt32LE(facts.isShared ? 1 : 0, at + hashBytes + 4);
    this.count++;
  }

  private factsAt(at: number): { bytes: number; isShared: boolean } {
    return {
      bytes: this.slots.readUInt32LE(at + hashBytes),
      isShared: this.slots.readUInt32LE(at + hashBytes + 4) === 1,
    };
  }

  private hashAt(at: number): Buffer {
    return Buffer.from(this.slots.subarray(at, at + hashBytes));
  }

  /** Lets go of the upper half of its part. */
  private narrow(): void {
    this.until = this.from + ((this.until - this.from) >>> 1);
    this.rebuild(this.slots.length);
  }

  private rebuild(length: number): void {
    const old = [this.slots, this.slots.length] as const;
    const [slots, end] = old;
    this.slots = Buffer.alloc(length);
    this.count = 0;
    for (let at = 0; at < end; at += slotBytes) {
      const bytes = slots.readUInt32LE(at + hashBytes);
      const hash = slots.subarray(at, at + hashBytes);
      if (bytes === 0 || !this.covers(hash)) continue;
      const isShared = slots.readUInt32LE(at + hashBytes + 4) === 1;
      this.fill(this.slotOf(hash), hash, { bytes, isShared });
    }
  }
}
