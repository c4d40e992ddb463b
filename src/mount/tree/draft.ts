import { KiB } from "../../base/size.ts";
import { Turns } from "../../base/turns.ts";
import type { Content } from "./content.ts";
import type { ContentCache } from "./content-cache.ts";
import type { DraftPart, Put } from "./draft-part.ts";
import { Ranges, type Range } from "./ranges.ts";
import type { Scratch } from "./scratch.ts";

/** What a draft was made from, and where its bytes are. */
export interface DraftOptions {
  /** What the commit has; undefined when it has no such file yet. */
  readonly base: Content | undefined;
  readonly scratch: Scratch;
  readonly cache: ContentCache;
  /** Each write behind the end is to be a block of its own. */
  readonly keepsWrites: boolean;
  /** A key for each part that is sent. */
  readonly newKey: () => string;
}

interface PartEnd {
  readonly end: number;
  readonly key?: string;
}

/** Bytes read at a time when a draft is sent. */
const sliceBytes = 256 * KiB;
const noSignal = new AbortController().signal;

/** A file as it is being written: what the commit has, with what was written over it. */
export class Draft {
  private readonly options: DraftOptions;
  private readonly local = new Ranges();
  /** Bytes of the base that still show where nothing was written. */
  private baseBytes: number;
  /** What the commit has: bytes of it, and how many of those are as they should be. */
  private sentBytes: number;
  private keptBytes: number;
  private isSent: boolean;
  /** An append up to `end` that may have arrived or not: as long as it is the same, it is sent again with its key. */
  private unsure: { readonly end: number; readonly key: string } | undefined;
  /** What the commit has is not known. */
  private isLost = false;
  private size: number;
  /** Ends of writes behind what was sent, when each is a block. */
  private ends: number[] = [];
  private readonly turns = new Turns();

  constructor(options: DraftOptions) {
    this.options = options;
    this.isSent = options.base !== undefined;
    this.size = options.base?.sizeBytes ?? 0;
    this.baseBytes = this.size;
    this.sentBytes = this.size;
    this.keptBytes = this.size;
  }

  get sizeBytes(): number {
    return this.size;
  }

  /** The commit has a file of this name, or may have. */
  get isKnown(): boolean {
    return this.isSent || this.isLost;
  }

  /** There is something to send. */
  get isDirty(): boolean {
    if (this.isLost || this.unsure !== undefined) return true;
    return !this.isSent || this.keptBytes < this.sentBytes || this.size > this.sentBytes;
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    await this.inTurn(async () => {
      await this.options.scratch.write(offset, bytes);
      const end = offset + bytes.length;
      // What lies between the end and here are zeros: no part of the base.
      this.local.add({ start: offset, end });
      this.keptBytes = Math.min(this.keptBytes, offset);
      this.changedFrom(offset);
      if (this.options.keepsWrites && offset === this.size) this.ends.push(end);
      this.size = Math.max(this.size, end);
    });
  }

  /** Cuts it short, or makes it longer by zeros. */
  async resize(bytes: number): Promise<void> {
    await this.inTurn(async () => {
      this.local.cut(bytes);
      this.baseBytes = Math.min(this.baseBytes, bytes);
      this.keptBytes = Math.min(this.keptBytes, bytes);
      this.changedFrom(bytes);
      this.ends = this.ends.filter((end) => end <= bytes);
      this.size = bytes;
    });
  }

  async read({ start, end }: Range, signal: AbortSignal): Promise<Uint8Array[]> {
    const pieces: Uint8Array[] = [];
    for (const part of this.local.split({ start, end: Math.min(end, this.size) }))
      pieces.push(...(await this.readPart(part, signal)));
    return pieces;
  }

  /** Brings what it shows of its base here, for when the base goes away, which `done` is told of. */
  async detach(signal: AbortSignal, done: () => void = () => undefined): Promise<void> {
    await this.inTurn(async () => {
      for (let start = 0; start < this.baseBytes; start += sliceBytes) {
        const end = Math.min(start + sliceBytes, this.baseBytes);
        for (const part of Array.from(this.local.split({ start, end }))) {
          if (part.isIn) continue;
          let at = part.start;
          for (const piece of await this.readPart(part, signal)) {
            await this.options.scratch.write(at, piece);
            at += piece.length;
          }
          this.local.add(part);
        }
      }
      done();
    });
  }

  /** The commit has another file of this name, which goes when it is sent. */
  takePlace(): void {
    this.isLost = true;
  }

  /** Sends what is not sent: as an append when nothing before was touched, else as a whole. */
  async send(put: Put): Promise<void> {
    await this.sendThen(put, () => Promise.resolve());
  }

  /** Sends what is not sent, and then does something before anything else happens to the draft. */
  async sendThen(put: Put, work: () => Promise<void>): Promise<void> {
    await this.inTurn(async () => {
      if (this.isDirty) await this.sendParts(put);
      await work();
    });
  }

  /** Does something while nothing happens to the draft. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    return await this.inTurn(work);
  }

  async close(): Promise<void> {
    await this.inTurn(() => this.options.scratch.close());
  }

  private async sendParts(put: Put): Promise<void> {
    if (this.unsure !== undefined) {
      const { end, key } = this.unsure;
      await this.putPart(put, { end, overwrite: false, key });
    }
    if (this.isLost || this.keptBytes < this.sentBytes) {
      this.sentBytes = 0;
      await this.putPart(put, { end: this.size, overwrite: true });
    } else if (!this.isSent && this.size === 0)
      await this.putPart(put, { end: 0, overwrite: false });
    for (const end of [...this.ends, this.size])
      if (end > this.sentBytes) await this.putPart(put, { end, overwrite: false });
    this.ends = [];
  }

  /** Sends what follows on what was sent. */
  private async putPart(
    put: Put,
    { end, overwrite, key = this.options.newKey() }: Pick<DraftPart, "overwrite"> & PartEnd,
  ): Promise<void> {
    const start = this.sentBytes;
    const isWhole = start === 0;
    try {
      const bytes = (): AsyncIterable<Uint8Array> => this.bytes(start, end);
      await put({ sizeBytes: end - start, isWhole, overwrite, key, bytes });
    } catch (error) {
      if (isWhole) this.isLost = true;
      else this.unsure = { end, key };
      throw error;
    }
    this.isSent = true;
    this.isLost = false;
    this.unsure = undefined;
    this.sentBytes = end;
    this.keptBytes = end;
  }

  /** What may have arrived is not what would be sent now. */
  private changedFrom(offset: number): void {
    if (this.unsure === undefined || offset >= this.unsure.end) return;
    this.unsure = undefined;
    this.isLost = true;
  }

  private async *bytes(from: number, to: number): AsyncGenerator<Uint8Array, void, void> {
    for (let start = from; start < to; start += sliceBytes)
      yield* await this.read({ start, end: Math.min(start + sliceBytes, to) }, noSignal);
  }

  private async readPart(
    part: Range & { readonly isIn: boolean },
    signal: AbortSignal,
  ): Promise<readonly Uint8Array[]> {
    const { start, end } = part;
    const { scratch, cache, base } = this.options;
    if (part.isIn) return [await scratch.read(start, end - start)];
    const baseEnd = Math.min(end, this.baseBytes);
    if (base === undefined || start >= baseEnd) return [Buffer.alloc(end - start)];
    // Copied: the cache may use its memory again before all of this is sent.
    const read = await cache.read(base, { start, end: baseEnd }, signal);
    const pieces = read.map((piece) => Buffer.from(piece));
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
    return bytes === end - start ? pieces : [...pieces, Buffer.alloc(end - start - bytes)];
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.turns.take("", work);
  }
}
