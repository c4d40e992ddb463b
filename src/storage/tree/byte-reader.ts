import { CodedError } from "../../base/errors.ts";

const varintBytesMax = 8;

/** Reads what a ByteWriter wrote. Everything that cannot be is `data_loss`. */
export class ByteReader {
  readonly #buffer: Buffer;
  readonly #what: string;
  #offset = 0;

  /** `what` names the thing in messages, such as `tree node`. */
  constructor(buffer: Buffer, what: string) {
    this.#buffer = buffer;
    this.#what = what;
  }

  u8(): number {
    if (this.#offset >= this.#buffer.length) this.fail("it ends too early");
    return this.#buffer[this.#offset++]!;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < varintBytesMax; i++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte >= 0x80) {
        scale *= 0x80;
        continue;
      }
      // One number has one form, or equal content could have two addresses.
      if (byte === 0 && i > 0) this.fail("a number is longer than it need be");
      return this.#safe(value);
    }
    return this.fail("a number does not end");
  }

  u64(): number {
    return this.#safe(Number(this.raw(8).readBigUInt64BE()));
  }

  /** A number that must lie within the bounds. */
  varintIn(min: number, max: number, name: string): number {
    const value = this.varint();
    if (value < min || value > max) this.fail(`${name} is ${value}, not ${min} to ${max}`);
    return value;
  }

  /** The next bytes, not copied. */
  raw(bytes: number): Buffer {
    if (bytes > this.#buffer.length - this.#offset) this.fail("it ends too early");
    const start = this.#offset;
    this.#offset += bytes;
    return this.#buffer.subarray(start, this.#offset);
  }

  /** The first `shared` bytes of `previous` and the next ones, in a buffer of their own. */
  rawAfter(previous: Buffer, shared: number, bytes: number): Buffer {
    if (bytes > this.#buffer.length - this.#offset) this.fail("it ends too early");
    const joined = Buffer.allocUnsafe(shared + bytes);
    joined.set(shared === previous.length ? previous : previous.subarray(0, shared), 0);
    this.#buffer.copy(joined, shared, this.#offset, this.#offset + bytes);
    this.#offset += bytes;
    return joined;
  }

  /** As raw(); the very buffer `likely` when it holds the same bytes, as it mostly does. */
  rawLike(likely: Buffer | undefined, bytes: number): Buffer {
    const end = this.#offset + bytes;
    if (likely?.length !== bytes || end > this.#buffer.length) return this.raw(bytes);
    if (likely.compare(this.#buffer, this.#offset, end) !== 0) return this.raw(bytes);
    this.#offset = end;
    return likely;
  }

  /** Everything must have been read. */
  end(): void {
    if (this.#offset !== this.#buffer.length)
      this.fail(`${this.#buffer.length - this.#offset} bytes follow its end`);
  }

  fail(reason: string): never {
    throw new CodedError(
      "data_loss",
      `Cannot read a ${this.#what} of ${this.#buffer.length} bytes: ${reason} (byte ${this.#offset}). Restore the stored data from a copy`,
    );
  }

  #safe(value: number): number {
    if (!Number.isSafeInteger(value)) this.fail("a number is over 2^53-1");
    return value;
  }
}
