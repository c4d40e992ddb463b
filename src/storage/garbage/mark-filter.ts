import { assert } from "../../base/assert.ts";
import { MiB } from "../../base/size.ts";

/** Bits for each chunk there is: one in some millions is then taken for marked by mistake. */
const bitsPerHash = 32;
const probes = 12;
const bitsMin = 2 ** 20;
const bytesMax = 256 * MiB;

/**
 * Which hashes have been marked. May say yes by mistake, never no: a mistake keeps a chunk for one run
 * longer, and the next has another salt. (Bloom filter; Kirsch and Mitzenmacher's two hash functions.)
 */
export class MarkFilter {
  /** Hashes added that were not here, more or less. */
  added = 0;
  private readonly bits: Uint32Array;
  private readonly mask: number;
  private readonly salt: number;

  /** @param expected how many hashes there may be; `salt` any 32 bits */
  constructor(expected: number, salt: number) {
    const wanted = Math.max(bitsMin, expected * bitsPerHash);
    const size = Math.min(bytesMax * 8, 2 ** Math.ceil(Math.log2(wanted)));
    this.bits = new Uint32Array(size / 32);
    this.mask = size - 1;
    this.salt = salt >>> 0;
  }

  add(hash: Buffer): void {
    let isNew = false;
    const { first, step } = this.probesOf(hash);
    for (let probe = 0, at = first; probe < probes; probe++, at = (at + step) >>> 0) {
      const bit = (at & this.mask) >>> 0;
      const word = this.bits[bit >>> 5]!;
      const wanted = 1 << (bit & 31);
      if ((word & wanted) === 0) isNew = true;
      this.bits[bit >>> 5] = word | wanted;
    }
    if (isNew) this.added++;
  }

  has(hash: Buffer): boolean {
    const { first, step } = this.probesOf(hash);
    for (let probe = 0, at = first; probe < probes; probe++, at = (at + step) >>> 0) {
      const bit = (at & this.mask) >>> 0;
      if ((this.bits[bit >>> 5]! & (1 << (bit & 31))) === 0) return false;
    }
    return true;
  }

  /** SHA-256 is as good as random: its own bytes are the two hash functions. */
  private probesOf(hash: Buffer): { first: number; step: number } {
    assert(hash.length === 32, "marks are of SHA-256");
    const first = (hash.readUInt32LE(0) ^ this.salt) >>> 0;
    const step = (Math.imul(hash.readUInt32LE(4) ^ this.salt, 0x9e3779b1) | 1) >>> 0;
    return { first, step };
  }
}
