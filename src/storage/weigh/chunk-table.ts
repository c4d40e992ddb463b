import { hashBytes } from "../tree/entry.ts";

const slotBytes = hashBytes + 16;
/** The first two bytes of a hash, as a number, are below this. */
export const partEnd = 0x1_0000;

/** A chunk as the table keeps it. */
export interface TabledChunk {
  readonly hash: Buffer;
  readonly bytes: number;
  readonly isShared: boolean;
  /** Who was the first to refer to it. */
  readonly owner: number;
}

type Facts = Omit<TabledChunk, "hash"> & {
  /** Who was the last to refer to it. */
  readonly last: number;
};

/**
 * Chunks by their hash, and of each whether something else refers to it too. Holds those of a part of all hashes,
 * which becomes smaller when there are too many.
 */
export class ChunkTable {
  /** First of its part, as the first two bytes of a hash. */
  readonly from: number;
  /** Behind the last. */
  until: number;
  private readonly countMax: number;
  private slots = Buffer.alloc(1_024 * slotBytes);
  private count = 0;

  /** @param countMax memory is bounded by 192 bytes for each */
  constructor(from: number, countMax: number, until = partEnd) {
    this.from = from;
    this.until = until;
    this.countMax = countMax;
  }

  /**
   * Adds a chunk, unless it is of another part. True when this owner has not added it before, all of whose chunks
   * come together.
   */
  add(hash: Buffer, bytes: number, owner = 0): boolean {
    if (!this.covers(hash)) return false;
    const at = this.slotOf(hash);
    if (!this.isFree(at)) {
      const facts = this.factsAt(at);
      if (facts.last === owner || (facts.owner === owner && !facts.isShared)) return false;
      this.setFacts(at, { ...facts, isShared: true, last: owner });
      return true;
    }
    this.fill(at, hash, { bytes, isShared: false, owner, last: owner });
    while (this.count > this.countMax && this.until - this.from > 1) this.narrow();
    if (this.count * 2 > this.slots.length / slotBytes) this.rebuild(this.slots.length * 2);
    return true;
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

  private fill(at: number, hash: Buffer, facts: Facts): void {
    hash.copy(this.slots, at, 0, hashBytes);
    this.setFacts(at, facts);
    this.count++;
  }

  private setFacts(at: number, { bytes, isShared, owner, last }: Facts): void {
    for (const [index, value] of [bytes, isShared ? 1 : 0, owner, last].entries())
      this.slots.writeUInt32LE(value, at + hashBytes + 4 * index);
  }

  private factsAt(at: number, slots = this.slots): Facts {
    return {
      bytes: slots.readUInt32LE(at + hashBytes),
      isShared: slots.readUInt32LE(at + hashBytes + 4) === 1,
      owner: slots.readUInt32LE(at + hashBytes + 8),
      last: slots.readUInt32LE(at + hashBytes + 12),
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
      const facts = this.factsAt(at, slots);
      const hash = slots.subarray(at, at + hashBytes);
      if (facts.bytes === 0 || !this.covers(hash)) continue;
      this.fill(this.slotOf(hash), hash, facts);
    }
  }
}
