/** Memory for requests: beyond, they wait in the kernel. */
export const slots = 8;

/** Where things are among the words that two threads share. */
const freeAt = 0;
const headAt = 1;
const ringAt = 2;
/** Each slot is in the ring once at most, and so is the end. */
const ringLength = 16;

/** What two threads share of requests that one of them reads from the device, and the other one answers. */
export interface RingMemory {
  readonly words: SharedArrayBuffer;
  readonly bytes: SharedArrayBuffer;
  readonly slotBytes: number;
}

/** One request: which slot it lies in, and how long it is. Length 0: there are no more. */
export interface Filled {
  readonly slot: number;
  readonly length: number;
}

export function openRing(slotBytes: number): RingMemory {
  const words = new SharedArrayBuffer(4 * (ringAt + 2 * ringLength));
  new Int32Array(words)[freeAt] = 2 ** slots - 1;
  return { words, bytes: new SharedArrayBuffer(slots * slotBytes), slotBytes };
}

export function slotOf({ bytes, slotBytes }: RingMemory, slot: number): Buffer {
  return Buffer.from(bytes, slot * slotBytes, slotBytes);
}

/** The side that reads from the device; its thread may wait. */
export class RingWriter {
  private readonly words: Int32Array;

  constructor({ words }: RingMemory) {
    this.words = new Int32Array(words);
  }

  /** A slot that nobody uses. */
  take(): number {
    for (;;) {
      const free = Atomics.load(this.words, freeAt);
      if (free === 0) {
        Atomics.wait(this.words, freeAt, 0);
        continue;
      }
      const slot = 31 - Math.clz32(free);
      Atomics.and(this.words, freeAt, ~(1 << slot));
      return slot;
    }
  }

  give({ slot, length }: Filled): void {
    const head = Atomics.load(this.words, headAt);
    const at = ringAt + 2 * (head % ringLength);
    this.words[at] = slot;
    this.words[at + 1] = length;
    Atomics.store(this.words, headAt, (head + 1) % (ringLength * 1024));
    Atomics.notify(this.words, headAt);
  }
}

/** The side that answers; its thread goes on with other things. */
export class RingReader {
  private readonly words: Int32Array<SharedArrayBuffer>;
  private tail = 0;

  constructor({ words }: RingMemory) {
    this.words = new Int32Array(words);
  }

  /** What was read next, if it was. */
  next(): Filled | undefined {
    if (Atomics.load(this.words, headAt) === this.tail) return undefined;
    const at = ringAt + 2 * (this.tail % ringLength);
    this.tail = (this.tail + 1) % (ringLength * 1024);
    return { slot: this.words[at]!, length: this.words[at + 1]! };
  }

  /** Waits until next() has something. */
  async wait(): Promise<void> {
    const waiting = Atomics.waitAsync(this.words, headAt, this.tail);
    if (waiting.async) await waiting.value;
  }

  giveBack(slot: number): void {
    Atomics.or(this.words, freeAt, 1 << slot);
    Atomics.notify(this.words, freeAt);
  }
}
