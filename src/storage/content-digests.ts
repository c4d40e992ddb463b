import { sha256 } from "../base/hash.ts";
import type { RecordFormat } from "../chunking/index.ts";
import type { Compute } from "./compute.ts";
import { IngestBudget } from "./ingest-budget.ts";
import { cutStream } from "./ingest-cuts.ts";
import { hashWindows } from "./ingest-hashes.ts";
import { wholeContent } from "./open-ingest.ts";
import { contentDigest } from "./tree/content-format.ts";
import { emptyContent, type NodeSink, type Piece } from "./tree/entry.ts";

const budgetBytes = 64 * 1_048_576;

/** Nodes are only named. */
const dropped: NodeSink = { put: async (node) => await Promise.resolve(sha256(node)) };

/** The digests that contents would have if one put stored each of them: nothing is stored. */
export class ContentDigests {
  private readonly compute: Compute;
  private readonly budget = new IngestBudget(budgetBytes);

  constructor(compute: Compute) {
    this.compute = compute;
  }

  /** Of a stream. */
  async ofStream(
    source: AsyncIterable<Uint8Array>,
    format: RecordFormat,
    signal: AbortSignal,
  ): Promise<string> {
    const content = await wholeContent(this.pieces(source, format, signal), dropped);
    return contentDigest({ content });
  }

  /** Of small contents, of at most 128 KiB, that follow one another in a buffer, which is given away. */
  async ofBatch(contents: Buffer, sizes: readonly number[]): Promise<string[]> {
    const ranges: { start: number; end: number }[] = [];
    let end = 0;
    for (const bytes of sizes) {
      if (bytes > 0) ranges.push({ start: end, end: end + bytes });
      end += bytes;
    }
    const { hashes } = await this.compute.hash({ buffer: contents, ranges });
    let next = 0;
    return sizes.map((bytes) => {
      if (bytes === 0) return contentDigest({ content: emptyContent });
      const piece = { hash: hashes[next++]!, bytes, blockEnds: [bytes] };
      return contentDigest({ content: { kind: "pieces", pieces: [piece], bytes } });
    });
  }

  private async *pieces(
    source: AsyncIterable<Uint8Array>,
    format: RecordFormat,
    signal: AbortSignal,
  ): AsyncGenerator<Piece, void, void> {
    const { compute, budget } = this;
    const cuts = cutStream(source, { format, compute, budget, signal });
    for await (const { window, pieces } of hashWindows(cuts, compute)) {
      window.free();
      yield* pieces;
    }
  }
}
