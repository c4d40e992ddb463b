import { CodedError, isCoded } from "../base/errors.ts";
import { sha256 } from "../base/hash.ts";
import { MiB } from "../base/size.ts";
import type { ChunkRow } from "../metadata/index.ts";
import type { ObjectStore } from "../objectstore/index.ts";
import type { ChunkIndex } from "./chunk-index.ts";
import type { Located } from "./chunk-look-ups.ts";
import type { Compute } from "./compute.ts";
import { decompress } from "./compute-work.ts";
import { FrameCache } from "./frame-cache.ts";
import { freeMemory, wholeOf } from "./memory.ts";
import { LargeChunks } from "./large-chunks.ts";
import { packKey, sharedChunkBytesMax } from "./pack-format.ts";
import { readBatch, type WantedChunk } from "./read-batch.ts";

/** Plain bytes of shared frames kept for the next reader. */
const cacheBytesMax = 32 * MiB;
/** Large chunks fetched before the reader asks for them. */
const largeAheadMax = 2;
/** Chunks of any size looked up and fetched ahead. */
const aheadMax = 64;

/** A part of a chunk: bytes [start, end) of it. */
export interface PieceRange {
  readonly hash: Buffer;
  /** Length of the whole chunk. */
  readonly bytes: number;
  readonly start: number;
  readonly end: number;
}

export interface PackReaderDeps {
  readonly objects: ObjectStore;
  readonly compute: Compute;
  readonly index: ChunkIndex;
}

/** Reads chunks from wherever they are. Buffers it gives out are shared: they must not be changed. */
export class PackReader {
  private readonly deps: PackReaderDeps;
  private readonly cache = new FrameCache(cacheBytesMax);
  private readonly largeChunks: LargeChunks;
  /** Memory of large chunks that one reader has for itself. */
  private readonly given = new WeakSet<ArrayBufferLike>();

  constructor(deps: PackReaderDeps) {
    this.deps = deps;
    this.largeChunks = new LargeChunks(deps.objects);
  }

  /**
   * The bytes of pieces, in order, one buffer each. Fetches a little ahead.
   *
   * @throws CodedError `data_loss` when a chunk is nowhere or damaged, naming its hash
   */
  async *readPieces(
    pieces: AsyncIterable<PieceRange>,
    signal: AbortSignal,
  ): AsyncGenerator<Buffer, void, void> {
    const left = new AbortController();
    const either = AbortSignal.any([signal, left.signal]);
    const ahead = new ReadAhead(pieces, (piece) => this.readChunk(piece.hash, either, piece.bytes));
    let isOver = false;
    try {
      for (let next = await ahead.next(); next !== undefined; next = await ahead.next()) {
        const chunk = await next.chunk;
        if (isLarge(next.piece)) this.given.add(chunk.buffer);
        yield chunk.subarray(next.piece.start, next.piece.end);
        signal.throwIfAborted();
      }
      isOver = true;
    } finally {
      // An abort makes an error with a stack: too dear for each of many small files.
      if (!isOver) left.abort();
      await ahead.leave();
    }
  }

  /** See readBatch(). */
  async readBatch(
    chunks: readonly WantedChunk[],
    into: Buffer,
    signal: AbortSignal,
  ): Promise<void> {
    const readChunk = (hash: Buffer, bytes: number): Promise<Buffer> =>
      this.readChunk(hash, signal, bytes);
    await readBatch({ ...this.deps, readChunk }, chunks, into, signal);
  }

  /** Gives the memory of what readPieces() gave out back at once, unless others may look into it. */
  free(part: Buffer): void {
    if (this.given.delete(part.buffer)) freeMemory(wholeOf(part));
  }

  /**
   * A whole chunk.
   *
   * @param bytes its length, when the caller knows: checked
   * @throws CodedError `data_loss`
   */
  async readChunk(hash: Buffer, signal: AbortSignal, bytes?: number): Promise<Buffer> {
    try {
      const chunk = await this.readLocated(hash, signal);
      if (bytes === undefined || chunk.length === bytes) return chunk;
      throw new CodedError(
        "data_loss",
        `Stored data is damaged: ${chunk.length} bytes instead of ${bytes}`,
      );
    } catch (error) {
      throw isCoded(error, "data_loss") ? lost(hash, error) : error;
    }
  }

  private async readLocated(hash: Buffer, signal: AbortSignal): Promise<Buffer> {
    // A pack found missing or damaged is known as lost, or was removed, before the next look.
    const tried = new Set<string>();
    for (;;) {
      const located = await this.deps.index.locate(hash, signal);
      try {
        return await this.fetch(hash, located, signal);
      } catch (error) {
        if (located === undefined || located.kind === "inline") throw error;
        const isMissing = isCoded(error, "not_found");
        if (!isMissing && !isCoded(error, "data_loss")) throw error;
        const { pack } = located.row;
        if (located.kind === "packed") await this.deps.index.losePack(pack, error);
        if (located.kind === "lost" || tried.has(pack))
          throw isMissing
            ? new CodedError("data_loss", `pack ${pack} is missing`, { cause: error })
            : error;
        tried.add(pack);
      }
    }
  }

  private async fetch(
    hash: Buffer,
    located: Located | undefined,
    signal: AbortSignal,
  ): Promise<Buffer> {
    if (located === undefined) throw new CodedError("data_loss", "no pack holds it");
    if (located.kind === "inline") {
      const { data, codec, bytes } = located.chunk;
      const chunk = decompress(Buffer.from(data), codec, bytes);
      if (sha256(chunk).equals(hash)) return chunk;
      throw new CodedError("data_loss", "its inline copy is damaged");
    }
    const { row } = located;
    const frame = await this.plainFrame(row, signal);
    const chunk = frame.subarray(row.offset, row.offset + row.bytes);
    const isRight = isLarge(row) ? chunk.length === frame.length : sha256(chunk).equals(hash);
    if (isRight) return chunk;
    throw new CodedError("data_loss", `pack ${row.pack} contradicts its index`);
  }

  private async plainFrame(row: ChunkRow, signal: AbortSignal): Promise<Buffer> {
    if (isLarge(row)) {
      const [frame] = await Promise.all([
        this.loadFrame(row, signal),
        this.largeChunks.confirm(row),
      ]);
      return frame;
    }
    const key = `${row.pack}/${row.frameOffset}`;
    // Without the signal: others may wait for the same frame.
    return await this.cache.getOrLoad(key, () => this.loadFrame(row, undefined));
  }

  private async loadFrame(row: ChunkRow, signal: AbortSignal | undefined): Promise<Buffer> {
    const range = { start: row.frameOffset, length: row.frameBytes };
    const frame = await this.deps.objects.read(
      packKey(row.pack),
      range,
      signal === undefined ? {} : { signal },
    );
    return await this.deps.compute.decode(frame);
  }
}

interface Begun {
  readonly piece: PieceRange;
  readonly chunk: Promise<Buffer>;
}

/** Pieces whose chunks are being fetched, in order. */
class ReadAhead {
  private readonly pieces: AsyncIterator<PieceRange>;
  private readonly read: (piece: PieceRange) => Promise<Buffer>;
  private readonly begun: Begun[] = [];
  private large = 0;
  private isOver = false;

  constructor(pieces: AsyncIterable<PieceRange>, read: (piece: PieceRange) => Promise<Buffer>) {
    this.pieces = pieces[Symbol.asyncIterator]();
    this.read = read;
  }

  /** The next piece; fetches of those after it have begun. */
  async next(): Promise<Begun | undefined> {
    while (!this.isOver && this.begun.length < aheadMax && this.large <= largeAheadMax) {
      const next = await this.pieces.next();
      if (next.done === true) this.isOver = true;
      else this.begin(next.value);
    }
    const first = this.begun.shift();
    if (first !== undefined && isLarge(first.piece)) this.large--;
    return first;
  }

  /** Lets go of pieces not asked for. */
  async leave(): Promise<void> {
    if (!this.isOver) await this.pieces.return?.();
  }

  private begin(piece: PieceRange): void {
    const chunk = this.read(piece);
    // Thrown when its turn comes; not before, and not when nobody reads on.
    chunk.catch(() => undefined);
    this.begun.push({ piece, chunk });
    if (isLarge(piece)) this.large++;
  }
}

/** A large chunk is a frame of its own. */
function isLarge(chunk: { readonly bytes: number }): boolean {
  return chunk.bytes > sharedChunkBytesMax;
}

function lost(hash: Buffer, cause: CodedError): CodedError {
  const chunk = hash.toString("hex");
  return new CodedError(
    "data_loss",
    `Cannot read chunk ${chunk}: ${cause.message}. Restore the object store from a backup, or commit the files again`,
    { details: { chunk }, cause },
  );
}
