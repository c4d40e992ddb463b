import { Turns } from "../../base/turns.ts";
import type { WritePlace } from "../volume.ts";
import type { DraftPart, Put } from "./draft-part.ts";
import { PatchedContent, type PatchedOptions } from "./patched-content.ts";
import type { Range } from "./ranges.ts";

/** What a draft was made from, and where its bytes are; without base when the commit has no such file yet. */
export interface DraftOptions extends PatchedOptions {
  /** Each write behind the end is to be a block of its own. */
  readonly keepsWrites: boolean;
  /** A key for each part that is sent. */
  readonly newKey: () => string;
}

interface PartEnd {
  readonly end: number;
  readonly key?: string;
}

const noSignal = new AbortController().signal;

/** A file as it is being written: what the commit has, with what was written over it. */
export class Draft {
  private readonly options: DraftOptions;
  private readonly patched: PatchedContent;
  /** What the commit has: bytes of it, and how many of those are as they should be. */
  private sentBytes: number;
  private keptBytes: number;
  private isSent: boolean;
  /** An append up to `end` that may have arrived or not: as long as it is the same, it is sent again with its key. */
  private unsure: { readonly end: number; readonly key: string } | undefined;
  /** What the commit has is not known. */
  private isLost = false;
  /** Ends of writes behind what was sent, when each is a block. */
  private ends: number[] = [];
  private readonly turns = new Turns();

  constructor(options: DraftOptions) {
    this.options = options;
    this.isSent = options.base !== undefined;
    this.patched = new PatchedContent(options);
    this.sentBytes = this.sizeBytes;
    this.keptBytes = this.sizeBytes;
  }

  get sizeBytes(): number {
    return this.patched.sizeBytes;
  }

  /** The commit has a file of this name, or may have. */
  get isKnown(): boolean {
    return this.isSent || this.isLost;
  }

  /** There is something to send. */
  get isDirty(): boolean {
    if (this.isLost || this.unsure !== undefined) return true;
    return !this.isSent || this.keptBytes < this.sentBytes || this.sizeBytes > this.sentBytes;
  }

  /** Gives back where the bytes are now. */
  async write(place: WritePlace, bytes: Uint8Array): Promise<number> {
    return await this.inTurn(async () => {
      const offset = place.isAppend ? this.sizeBytes : place.offset;
      const isAppend = offset === this.sizeBytes;
      await this.patched.write(offset, bytes);
      this.keptBytes = Math.min(this.keptBytes, offset);
      this.changedFrom(offset);
      if (this.options.keepsWrites && isAppend) this.ends.push(offset + bytes.length);
      return offset;
    });
  }

  /** Cuts it short, or makes it longer by zeros. */
  async resize(bytes: number): Promise<void> {
    await this.inTurn(async () => {
      this.keptBytes = Math.min(this.keptBytes, bytes);
      this.changedFrom(bytes);
      this.ends = this.ends.filter((end) => end <= bytes);
      await this.patched.resize(bytes);
    });
  }

  async read(range: Range, signal: AbortSignal): Promise<Uint8Array[]> {
    return await this.patched.read(range, signal);
  }

  /** Brings what it shows of its base here, for when the base goes away, which `done` is told of. */
  async detach(signal: AbortSignal, done: () => void = () => undefined): Promise<void> {
    await this.inTurn(async () => {
      await this.patched.detach(signal);
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
    await this.inTurn(() => this.patched.close());
  }

  private async sendParts(put: Put): Promise<void> {
    if (this.unsure !== undefined) {
      const { end, key } = this.unsure;
      await this.putPart(put, { end, overwrite: false, key });
    }
    if (this.isLost || this.keptBytes < this.sentBytes) {
      this.sentBytes = 0;
      await this.putPart(put, { end: this.sizeBytes, overwrite: true });
    } else if (!this.isSent && this.sizeBytes === 0)
      await this.putPart(put, { end: 0, overwrite: false });
    for (const end of [...this.ends, this.sizeBytes])
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
      const bytes = (): AsyncIterable<Uint8Array> => this.patched.readAll({ start, end }, noSignal);
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

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.turns.take("", work);
  }
}
