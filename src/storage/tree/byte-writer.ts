import { assert } from "../../base/assert.ts";

/** Bytes that grow at the end. */
export class ByteWriter {
  #buffer: Buffer;
  #length = 0;

  /** `bytesExpected`: room made at once. */
  constructor(bytesExpected = 4096) {
    this.#buffer = Buffer.allocUnsafe(bytesExpected);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#length++] = value;
  }

  /** An integer from 0 to 2^53-1 as LEB128: seven bits a byte, lowest first. */
  varint(value: number): void {
    // Not in the call: a message put together for each would cost more than the rest.
    if (!(Number.isSafeInteger(value) && value >= 0)) assert(false, `${value} is not a varint`);
    this.#reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#length++] = rest;
  }

  /** An integer from 0 to 2^53-1 in eight bytes, big-endian. */
  u64(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, `${value} is not a u64`);
    this.#reserve(8);
    this.#length = this.#buffer.writeBigUInt64BE(BigInt(value), this.#length);
  }

  /** Bytes from `start` on. */
  raw(bytes: Buffer, start = 0): void {
    const length = bytes.length - start;
    this.#reserve(length);
    bytes.copy(this.#buffer, this.#length, start);
    this.#length += length;
  }

  /** Bytes of a fixed length. */
  fixed(bytes: Buffer, length: number): void {
    if (bytes.length !== length) assert(false, `${bytes.length} bytes where ${length} belong`);
    this.raw(bytes);
  }

  /** A copy of what was written. */
  take(): Buffer {
    return Buffer.from(this.view());
  }

  /** What was written, good until more is. */
  view(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#buffer.length, this.#length + bytes));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}
