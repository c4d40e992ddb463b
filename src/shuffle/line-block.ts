/**
 * Whole lines in order, in memory of their own. A line that comes several times in a row may stand there once: then the
 * lines are followed by how often each of them comes.
 */
export interface LineBlock {
  readonly bytes: Buffer;
  /** Where the lines end; their counts, if there are any, follow. */
  readonly linesEnd: number;
  /** Each as often as it comes. */
  readonly records: number;
  /** Of all lines, each as often as it comes. */
  readonly fullBytes: number;
}

/** Lines each of which comes once. */
export function plainBlock(bytes: Buffer, records: number): LineBlock {
  return { bytes, linesEnd: bytes.length, records, fullBytes: bytes.length };
}

/** How often the lines of a block come; one is used for one block after the other, so that nothing is left to be collected. */
export class LineCounts {
  private counts = new Float64Array(1_024);
  private length = 0;
  /** Of all counts, when they are written. */
  private bytes = 0;

  /** The next line comes so often. */
  add(count: number): void {
    if (this.length === this.counts.length) {
      const larger = new Float64Array(2 * this.length);
      larger.set(this.counts);
      this.counts = larger;
    }
    this.counts[this.length++] = count;
    this.bytes += varintBytes(count);
  }

  /** The line added last comes so many times more. */
  addToLast(count: number): void {
    const before = this.counts[this.length - 1]!;
    this.length--;
    this.bytes -= varintBytes(before);
    this.add(before + count);
  }

  /** The bytes of a block: lines, and their counts unless all are 1. Begins anew for the next block. */
  after(lines: Buffer): Buffer {
    const { counts, length, bytes } = this;
    this.length = 0;
    this.bytes = 0;
    if (bytes === length && isAllOnes(counts, length)) return lines;
    const block = Buffer.allocUnsafeSlow(lines.length + bytes);
    lines.copy(block);
    let at = lines.length;
    for (let i = 0; i < length; i++) at = writeVarint(block, at, counts[i]!);
    return block;
  }
}

function isAllOnes(counts: Float64Array, length: number): boolean {
  for (let i = 0; i < length; i++) if (counts[i] !== 1) return false;
  return true;
}

/** Counts of a block, one after the other. */
export class CountReader {
  private bytes: Buffer = Buffer.alloc(0);
  private at = 0;

  begin({ bytes, linesEnd }: Pick<LineBlock, "bytes" | "linesEnd">): void {
    this.bytes = bytes;
    this.at = linesEnd;
  }

  /** How often the next line comes. */
  next(): number {
    const { bytes } = this;
    if (this.at === bytes.length) return 1;
    const first = bytes[this.at++]!;
    if (first < 128) return first;
    let count = first - 128;
    for (let unit = 128; ; unit *= 128) {
      const byte = bytes[this.at++]!;
      if (!(byte >= 128)) return count + byte * unit;
      count += (byte - 128) * unit;
    }
  }
}

// Seven bits a byte, the lowest first; the highest bit says that more follow.

function varintBytes(value: number): number {
  let bytes = 1;
  for (let left = value; left >= 128; left = Math.floor(left / 128)) bytes++;
  return bytes;
}

function writeVarint(to: Buffer, start: number, value: number): number {
  let at = start;
  let left = value;
  for (; left >= 128; left = Math.floor(left / 128)) to[at++] = (left % 128) + 128;
  to[at++] = left;
  return at;
}
