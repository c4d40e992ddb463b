import { sha256 } from "../base/hash.ts";
import type { RecordFormat } from "../chunking/index.ts";
import type { PackClass, Sealed } from "../metadata/index.ts";
import { collectedPackOf } from "../model/collected-pack.ts";
import type { IngestBudget } from "./ingest-budget.ts";
import { IngestChunks, type IngestChunksDeps, type StoredWindow } from "./ingest-chunks.ts";
import { cutStream } from "./ingest-cuts.ts";
import { hashWindows, type HashedChunk } from "./ingest-hashes.ts";
import { IngestStores } from "./ingest-stores.ts";
import type { Ingest } from "./ingest.ts";
import { freeMemory } from "./memory.ts";
import type { NodeCache } from "./node-cache.ts";
import { sharedChunkBytesMax } from "./pack-format.ts";
import { keyOf } from "./session-chunks.ts";
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

  async putChunks(
    packClass: PackClass,
    chunks: readonly HashedChunk[],
    buffer: Buffer,
  ): Promise<void> {
    if (packClass === "data") return await this.chunks.putWindow(windowOf(buffer, chunks));
    for (const { hash, start, end } of chunks)
      await this.chunks.put({
        class: packClass,
        hash,
        bytes: Buffer.from(buffer.subarray(start, end)),
      });
  }

  async putBatch(buffer: Buffer, sizes: readonly number[]): Promise<Content[]> {
    const ranges: { start: number; end: number }[] = [];
    let end = 0;
    for (const bytes of sizes) {
      if (bytes > 0) ranges.push({ start: end, end: end + bytes });
      end += bytes;
    }
    const hashed = await this.deps.compute.hash({ buffer, ranges });
    const chunks = ranges.map(({ start, end }, i) => {
      const hash = hashed.hashes[i]!;
      return { start, end, hash, key: keyOf(hash) };
    });
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

  /** The pieces of a stream: windows are stored while the next are hashed, one is cut and one filled. */
  private async *store(
    source: AsyncIterable<Uint8Array>,
    format: RecordFormat,
    signal: AbortSignal,
  ): AsyncGenerator<Piece, void, void> {
    const { compute, budget } = this.deps;
    const stores = new IngestStores(this.chunks);
    const cuts = cutStream(source, { format, compute, budget, signal });
    for await (const hashed of hashWindows(cuts, compute)) {
      await stores.add(hashed);
      yield* hashed.pieces;
    }
    await stores.end();
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

/** Bytes that are whole chunks, in the place of a window. */
function windowOf(buffer: Buffer, chunks: readonly HashedChunk[]): StoredWindow {
  const window = {
    buffer,
    bytes: chunks.reduce((sum, { start, end }) => sum + end - start, 0),
    free: () => {
      freeMemory(window.buffer);
    },
  };
  return { window, chunks };
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer, void, void> {
  yield bytes;
}
