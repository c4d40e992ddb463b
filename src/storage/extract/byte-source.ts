import type { ByteSource } from "./extract-format.ts";

/** Reads a stream in the lengths asked for; holds no more than one of its slices. */
export class StreamSource implements ByteSource {
  private readonly source: AsyncIterator<Uint8Array>;
  private slice: Uint8Array = new Uint8Array(0);
  private at = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.source = source[Symbol.asyncIterator]();
  }

  async fill(buffer: Buffer, start: number): Promise<number> {
    let end = start;
    while (end < buffer.length) {
      if (this.at === this.slice.length && !(await this.refill())) break;
      const part = this.slice.subarray(this.at, this.at + buffer.length - end);
      buffer.set(part, end);
      end += part.length;
      this.at += part.length;
    }
    return end - start;
  }

  private async refill(): Promise<boolean> {
    const next = await this.source.next();
    if (next.done === true) return false;
    this.slice = next.value;
    this.at = 0;
    return true;
  }
}
