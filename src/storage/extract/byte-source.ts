import type { ByteSource } from "./extract-format.ts";

/** Reads a stream in the lengths asked for; holds no more than one of its slices. */
export class StreamSource implements ByteSource {
  private readonly source: AsyncIterator<Uint8Array>;
  private slice: Uint8Array = new Uint8Array(0);
  private at = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.source = source[Symbol.asyncIterator]();
  }

  async take(count: number): Promise<Buffer> {
    const taken = Buffer.allocUnsafeSlow(count);
    let length = 0;
    while (length < count) {
      if (this.at === this.slice.length && !(await this.refill())) return taken.subarray(0, length);
      const part = this.slice.subarray(this.at, this.at + count - length);
      taken.set(part, length);
      length += part.length;
      this.at += part.length;
    }
    return taken;
  }

  /** Lets go of the stream. */
  async leave(): Promise<void> {
    await this.source.return?.();
  }

  private async refill(): Promise<boolean> {
    const next = await this.source.next();
    if (next.done === true) return false;
    this.slice = next.value;
    this.at = 0;
    return true;
  }
}
