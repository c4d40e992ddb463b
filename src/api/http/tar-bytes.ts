import { tarError } from "./tar-header.ts";

/** The bytes of a tar, taken a piece at a time out of the slices they come in. */
export class TarBytes {
  private readonly source: AsyncIterator<Uint8Array>;
  private slice: Buffer = Buffer.alloc(0);
  private at = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.source = source[Symbol.asyncIterator]();
  }

  /** So many bytes, good until more are asked for; undefined when they have not come in one piece. */
  takeNow(length: number): Buffer | undefined {
    if (this.slice.length - this.at < length) return undefined;
    this.at += length;
    return this.slice.subarray(this.at - length, this.at);
  }

  /** The same, waited for; undefined when nothing comes any more. */
  async takeUnlessOver(length: number): Promise<Buffer | undefined> {
    if (this.at === this.slice.length && !(await this.hasMore())) return undefined;
    const bytes = Buffer.allocUnsafe(length);
    await this.copy(bytes, 0, length);
    return bytes;
  }

  /** Copies bytes to a place; false, and nothing is done, when not all of them are here. */
  copyNow(to: Buffer, start: number, length: number): boolean {
    const end = this.at + length;
    if (this.slice.length < end) return false;
    this.slice.copy(to, start, this.at, end);
    this.at = end;
    return true;
  }

  /** @throws CodedError `invalid_argument` when the source ends before */
  async copy(to: Buffer, start: number, length: number): Promise<void> {
    let at = start;
    for await (const slice of this.slices(length)) {
      slice.copy(to, at);
      at += slice.length;
    }
  }

  skipNow(length: number): boolean {
    if (this.slice.length - this.at < length) return false;
    this.at += length;
    return true;
  }

  /** @throws CodedError `invalid_argument` when the source ends before */
  async skip(length: number): Promise<void> {
    for await (const _ of this.slices(length));
  }

  /**
   * So many bytes as they come, each slice good until the next is asked for.
   *
   * @throws CodedError `invalid_argument` when the source ends before
   */
  async *slices(length: number): AsyncGenerator<Buffer, void, void> {
    for (let left = length; left > 0;) {
      if (this.at === this.slice.length && !(await this.hasMore()))
        throw tarError("Unexpected end of data");
      const slice = this.slice.subarray(this.at, this.at + left);
      this.at += slice.length;
      left -= slice.length;
      yield slice;
    }
  }

  /** Not awaited: a source that hangs would hang here. */
  close(): void {
    this.source.return?.().catch(() => undefined);
  }

  private async hasMore(): Promise<boolean> {
    do {
      const next = await this.source.next();
      if (next.done === true) return false;
      this.slice = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.length);
      this.at = 0;
    } while (this.slice.length === 0);
    return true;
  }
}
