import { hashBytes } from "../tree/entry.ts";

const slotBytes = hashBytes + 8;
/** A chunk of content or a node; of an empty slot it is 0. */
const kinds = { data: 1, node: 2 } as const;
/** 160 MiB at most. */
const countDefault = 2 ** 21;

/** What has come of a stream, to the last bit of each hash: nobody can pass off one chunk as another. */
export class ArrivedChunks {
  /** Chunks may have come that are not remembered. */
  hasForgotten = false;
  private readonly countMax: number;
  private slots = Buffer.alloc(1_024 * slotBytes);
  private count = 0;

  /** @param countMax when there are more it begins anew; memory is bounded by 80 bytes for each */
  constructor(countMax = countDefault) {
    this.countMax = countMax;
  }

  add(kind: keyof typeof kinds, hash: Buffer, bytes: number): void {
    const at = this.slotOf(kind, hash);
    if (!this.isFree(at)) return;
    this.fill(at, kinds[kind], hash, bytes);
    if (this.count * 2 > this.slots.length / slotBytes) this.grow();
  }

  /** How long a chunk is; undefined when none of this kind has come, as far as is remembered. */
  bytesOf(kind: keyof typeof kinds, hash: Buffer): number | undefined {
    const at = this.slotOf(kind, hash);
    return this.isFree(at) ? undefined : this.slots.readUInt32LE(at + hashBytes);
  }

  private slotOf(kind: keyof typeof kinds, hash: Buffer): number {
    const slots = this.slots.length / slotBytes;
    let slot = hash.readUInt32LE(8) & (slots - 1);
    for (;;) {
      const at = slot * slotBytes;
      const isThis =
        this.slots.readUInt32LE(at + hashBytes + 4) === kinds[kind] &&
        hash.compare(this.slots, at, at + hashBytes) === 0;
      if (isThis || this.isFree(at)) return at;
      slot = (slot + 1) & (slots - 1);
    }
  }

  private isFree(at: number): boolean {
    return this.slots.readUInt32LE(at + hashBytes + 4) === 0;
  }

  private fill(at: number, kind: number, hash: Buffer, bytes: number): void {
    hash.copy(this.slots, at, 0, hashBytes);
    this.slots.writeUInt32LE(bytes, at + hashBytes);
    this.slots.writeUInt32LE(kind, at + hashBytes + 4);
    this.count++;
  }

  private grow(): void {
    const old = this.slots;
    const isFull = this.count >= this.countMax;
    this.hasForgotten ||= isFull;
    this.count = 0;
    this.slots = Buffer.alloc(isFull ? 1_024 * slotBytes : old.length * 2);
    if (isFull) return;
    for (let at = 0; at < old.length; at += slotBytes) {
      const kind = old.readUInt32LE(at + hashBytes + 4);
      if (kind === 0) continue;
      const hash = old.subarray(at, at + hashBytes);
      const bytes = old.readUInt32LE(at + hashBytes);
      this.fill(this.slotOf(kind === kinds.data ? "data" : "node", hash), kind, hash, bytes);
    }
  }
}
