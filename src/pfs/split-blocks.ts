import { MiB } from "../base/size.ts";
import { BlockEnds, type RecordFormat } from "../chunking/index.ts";

/** What is looked through at once: about a millisecond. */
const sliceBytes = MiB;

/**
 * Divides a stream into blocks; each must be read to its end before the next is asked for. A stream without
 * bytes is one empty block. Holds one part of the source.
 */
export async function* splitBlocks(
  source: AsyncIterable<Uint8Array>,
  format: RecordFormat,
): AsyncGenerator<AsyncIterable<Uint8Array>, void, void> {
  const stream = new DividedStream(source, format);
  yield stream.block();
  while (await stream.hasMore()) yield stream.block();
}

class DividedStream {
  private readonly slices: AsyncGenerator<Uint8Array, void, void>;
  private readonly finder: BlockEnds;
  /** What has been read and not been given out. */
  private rest: Uint8Array = new Uint8Array();
  /** Where blocks end in it. */
  private ends: number[] = [];

  constructor(source: AsyncIterable<Uint8Array>, format: RecordFormat) {
    this.slices = slicesOf(source);
    this.finder = new BlockEnds(format);
  }

  /** Whether there are bytes that have not been given out. */
  async hasMore(): Promise<boolean> {
    if (this.rest.length > 0) return true;
    const next = await this.slices.next();
    if (next.done === true) return false;
    this.rest = next.value;
    this.ends = this.finder.feed(next.value);
    return true;
  }

  async *block(): AsyncGenerator<Uint8Array, void, void> {
    while (await this.hasMore()) {
      const end = this.ends.shift();
      const given = this.rest.subarray(0, end);
      this.rest = this.rest.subarray(given.length);
      this.ends = this.ends.map((later) => later - given.length);
      if (given.length > 0) yield given;
      if (end !== undefined) return;
    }
  }
}

async function* slicesOf(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const part of source)
    for (let start = 0; start < part.length; start += sliceBytes)
      yield part.subarray(start, start + sliceBytes);
}
