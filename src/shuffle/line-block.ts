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

/** How often lines come that follow one another. */
export class LineCounts {
  private ones = 0;
  /** Of all lines, once one of them has come more than once. */
  private counts: number[] | undefined;

  /** The next line comes so often. */
  add(count: number): void {
    if (this.counts === undefined && count === 1) this.ones++;
    else this.all().push(count);
  }

  /** The line added last comes so many times more. */
  addToLast(count: number): void {
    const counts = this.all();
    counts[counts.length - 1]! += count;
  }

  /** The bytes of a block: lines, and their counts where they are needed. Lines that need none stay where they are. */
  after(lines: Buffer): Buffer {
    const { counts } = this;
    if (counts === undefined) return lines;
    let bytes = 0;
    for (const count of counts) bytes += varintBytes(count);
    const block = Buffer.allocUnsafeSlow(lines.length + bytes);
    lines.copy(block);
    let at = lines.length;
    for (const count of counts) at = writeVarint(block, at, count);
    return block;
  }

  private all(): number[] {
    this.counts ??= Array.from<number>({ length: this.ones }).fill(1);
    return this.counts;
  }
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
