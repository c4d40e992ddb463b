/** Of a hash that is as good as random: enough to never meet another by chance. */
const prefixBytes = 16;

/**
 * Hashes that have been seen, in 32 bytes each at most. When it is full it begins anew: what was
 * forgotten is visited once more, which costs time and nothing else.
 */
export class Visited {
  private readonly countMax: number;
  private slots: Buffer;
  private count = 0;

  /** @param countMax memory is bounded by 64 bytes for each */
  constructor(countMax: number) {
    this.countMax = countMax;
    this.slots = Buffer.alloc(1_024 * prefixBytes);
  }

  /** True when the hash was not here, as far as is remembered; from now on it is. */
  add(hash: Buffer): boolean {
    const at = this.slotOf(hash);
    if (!this.isFree(at)) return false;
    hash.copy(this.slots, at, 0, prefixBytes);
    this.count++;
    if (this.count * 2 > this.slots.length / prefixBytes) this.grow();
    return true;
  }

  private slotOf(hash: Buffer): number {
    const slots = this.slots.length / prefixBytes;
    let slot = hash.readUInt32LE(0) & (slots - 1);
    for (;;) {
      const at = slot * prefixBytes;
      if (this.isFree(at) || hash.compare(this.slots, at, at + prefixBytes, 0, prefixBytes) === 0)
        return at;
      slot = (slot + 1) & (slots - 1);
    }
  }

  /** No hash is all zeros. */
  private isFree(at: number): boolean {
    return this.slots.readUInt32LE(at) === 0 && this.slots.readUInt32LE(at + 4) === 0;
  }

  private grow(): void {
    const old = this.slots;
    const isFull = this.count >= this.countMax;
    this.count = 0;
    this.slots = Buffer.alloc(isFull ? 1_024 * prefixBytes : old.length * 2);
    if (isFull) return;
    for (let at = 0; at < old.length; at += prefixBytes) {
      if (old.readUInt32LE(at) === 0 && old.readUInt32LE(at + 4) === 0) continue;
      old.copy(this.slots, this.slotOf(old.subarray(at, at + prefixBytes)), at, at + prefixBytes);
      this.count++;
    }
  }
}
