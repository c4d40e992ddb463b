import { sha256 } from "../base/hash.ts";
import type { RecordFormat } from "../chunking/index.ts";
import type { Sealed } from "../metadata/index.ts";
import { collectedPackOf } from "../model/collected-pack.ts";
import type { IngestBudget } from "./ingest-budget.ts";
import { IngestChunks, type IngestChunksDeps } from "./ingest-chunks.ts";
import { cutStream } from "./ingest-cuts.ts";
import { hashWindows } from "./ingest-hashes.ts";
import type { Ingest } from "./ingest.ts";
import type { NodeCache } from "./node-cache.ts";
import { sharedChunkBytesMax } from "./pack-format.ts";
import type { Session } from "./session.ts";
import { emptyContent, type Content, type NodeSink, type Piece } from "./tree/entry.ts";
import { buildList } from "./tree/list.ts";

export interface IngestDeps extends IngestChunksDeps {
  /** Memory for streams on their way in, of all requests. */
  readonly budget: IngestBudget;
  readonly nodes: NodeCache;
  readonly session: Session;
}

/** Begins a request's worth of new bytes. */
export function openIngest(deps: IngestDeps): Ingest {
  return new OpenIngest(deps);
}

class OpenIngest implements Ingest {
  readonly nodes: NodeSink;
  private readonly deps: IngestDeps;
  private readonly chunks: IngestChunks;
  private readonly epoch: number;
  private readonly leave: () => void;

  constructor(deps: IngestDeps) {
    this.deps = deps;
    this.chunks = new IngestChunks(deps);
    this.epoch = deps.session.epoch;
    this.leave = deps.session.enter();
    this.nodes = { put: (node) => this.putNode(node) };
  }

  async putContent(
    source: AsyncIterable<Uint8Array>,
    format: RecordFormat,
    signal: AbortSignal,
  ): Promise<Content> {
    return await wholeContent(this.store(source, format, signal), this.nodes);
  }

  async putBytes(bytes: Buffer, format: RecordFormat): Promise<Content> {
    if (bytes.length === 0) return emptyContent;
    if (bytes.length > sharedChunkBytesMax) {
      return await this.putContent(once(bytes), format, new AbortController().signal);
    }
    const hash = sha256(bytes);
    await this.chunks.put({ class: "data", hash, bytes });
    return {
      kind: "pieces",
      pieces: [{ hash, bytes: bytes.length, blockEnds: [bytes.length] }],
      bytes: bytes.length,
    };
  }

  async putBatch(buffer: Buffer, sizes: readonly number[]): Promise<Content[]> {
    const ranges: { start: number; end: number }[] = [];
    let end = 0;
    for (const bytes of sizes) {
      if (bytes > 0) ranges.push({ start: end, end: end + bytes });
      end += bytes;
    }
    const hashed = await this.deps.compute.hash({ buffer, ranges });
    const chunks = ranges.map((range, i) => ({ ...range, hash: hashed.hashes[i]! }));
    await this.chunks.putBatch({ buffer: hashed.buffer, chunks });
    let next = 0;
    return sizes.map((bytes) => {
      if (bytes === 0) return emptyContent;
      const { hash } = chunks[next++]!;
      return { kind: "pieces", pieces: [{ hash, bytes, blockEnds: [bytes] }], bytes };
    });
  }

  async seal(): Promise<Sealed> {
    const sealed = await this.chunks.seal();
    this.chunks.clear();
    return { epoch: this.epoch, ...sealed };
  }

  end(error?: unknown): void {
    this.chunks.clear();
    this.leave();
    // A pack that is gone must not be relied on again when the request is repeated.
    const pack = collectedPackOf(error);
    if (pack !== undefined) this.deps.chunks.forgetPack(pack);
  }

  /** The pieces of a stream: one window is stored while the next is hashed, one cut and one filled. */
  private async *store(
    source: AsyncIterable<Uint8Array>,
    format: RecordFormat,
    signal: AbortSignal,
  ): AsyncGenerator<Piece, void, void> {
    const { compute, budget } = this.deps;
    let storing: Promise<void> = Promise.resolve();
    const cuts = cutStream(source, { format, compute, budget, signal });
    for await (const hashed of hashWindows(cuts, compute)) {
      await storing.catch((error: unknown) => {
        hashed.window.free();
        throw error;
      });
      storing = this.chunks.putWindow(hashed);
      // Thrown by the next turn; not when the source fails first.
      storing.catch(() => undefined);
      yield* hashed.pieces;
    }
    await storing;
  }

  private async putNode(node: Buffer): Promise<Buffer> {
    const hash = sha256(node);
    const onKept = this.deps.nodes.hold(hash, node);
    await this.chunks.put({ class: "node", hash, bytes: node, onKept });
    return hash;
  }
}

/** The content of a stream of these pieces, to be told at its end where that was cut. */
export async function wholeContent(
  pieces: AsyncIterable<Piece> | Iterable<Piece>,
  sink: NodeSink,
): Promise<Content> {
  return await buildList(withLastBlock(pieces), sink);
}

async function* withLastBlock(
  pieces: AsyncIterable<Piece> | Iterable<Piece>,
): AsyncGenerator<Piece, void, void> {
  let held: Piece | undefined;
  for await (const piece of pieces) {
    if (held !== undefined) yield held;
    held = piece;
  }
  if (held !== undefined) yield endingABlock(held);
}

/** The stream's end is a block end, wherever its last chunk was cut. */
function endingABlock(piece: Piece): Piece {
  const { bytes, blockEnds } = piece;
  return blockEnds.at(-1) === bytes ? piece : { ...piece, blockEnds: [...blockEnds, bytes] };
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer, void, void> {
  yield bytes;
}
