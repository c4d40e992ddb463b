import { CodedError } from "../base/errors.ts";
import type { Semaphore } from "../base/semaphore.ts";
import { KiB } from "../base/size.ts";
import type { InlineChunk, PackClass, PackRecord, Sealed } from "../metadata/index.ts";
import type { ChunkIndex } from "./chunk-index.ts";
import type { Compute } from "./compute.ts";
import type { HashedChunk } from "./ingest-hashes.ts";
import type { IngestWindow } from "./ingest-window.ts";
import { freeMemory } from "./memory.ts";
import { codec, sharedChunkBytesMax } from "./pack-format.ts";
import type { PackFrame } from "./pack-frame.ts";
import type { PackWriter } from "./pack-writer.ts";
import { keyOf, type SessionChunks } from "./session-chunks.ts";

/** A request of up to this many plain bytes, nodes included, is kept inline. */
export const inlineBytesMax = 256 * KiB;
/** And of up to this many chunks: each is a row, to be written again when it is drained. */
const inlineChunksMax = 2_000;
/** Shorter inline chunks stay as they are: a page of the database is written anyway. */
const compressBytesMin = 4 * KiB;
/** What a chunk on its way counts at least, so that the number of them is bounded too. */
const bytesCountedMin = 8 * KiB;

export interface IngestChunksDeps {
  readonly compute: Compute;
  readonly index: ChunkIndex;
  readonly chunks: SessionChunks;
  readonly writers: Readonly<Record<PackClass, PackWriter>>;
  /** Bytes of small chunks on their way, of all requests. */
  readonly smallBytes: Semaphore;
}

/** Small chunks in a buffer of their own. */
export interface Batch {
  readonly buffer: Buffer;
  /** Ascending. */
  readonly chunks: readonly KeyedChunk[];
}

interface KeyedChunk extends HashedChunk {
  /** keyOf() its hash. */
  readonly key: string;
}

interface NewChunk {
  readonly class: PackClass;
  readonly hash: Buffer;
  readonly bytes: Buffer;
  /** Called once: when the chunk can be read from where it is kept, or its request is over. */
  readonly onKept?: () => void;
}

/** A window whose chunks are hashed. */
export interface StoredWindow {
  readonly window: Pick<IngestWindow, "buffer" | "bytes" | "free">;
  readonly chunks: readonly HashedChunk[];
}

/** The chunks of one request: held in memory while they are few, then all of them on their way to packs. */
export class IngestChunks {
  private readonly deps: IngestChunksDeps;
  private readonly held = new Map<string, NewChunk>();
  private heldBytes = 0;
  private isSpilled = false;
  /** Placements nobody awaits but `seal`. */
  private readonly placing = new Set<Promise<void>>();
  private readonly wanted: Record<PackClass, Set<PackFrame>> = { data: new Set(), node: new Set() };
  private readonly packs = new Map<string, PackRecord>();
  /** Of packs with nodes of this request, which it may read again. */
  private readonly unpins: (() => void)[] = [];
  /** Packs that held chunks of this request already. */
  private readonly kept = new Set<string>();
  private failure: { readonly error: unknown } | undefined;

  constructor(deps: IngestChunksDeps) {
    this.deps = deps;
  }

  /** Takes a small chunk, whose bytes must not change afterwards. Resolves when the next one may come. */
  async put(chunk: NewChunk): Promise<void> {
    this.throwIfFailed();
    if (this.hold([chunk])) return;
    await this.spill();
    await this.placeSoon(chunk);
  }

  /** Takes the chunks of a window and frees it. */
  async putWindow({ window, chunks }: StoredWindow): Promise<void> {
    try {
      this.throwIfFailed();
      const { buffer, bytes } = window;
      if (bytes <= inlineBytesMax && this.hold(chunksIn(buffer, chunks).map(copied))) return;
      await this.spill();
      const kept = await Promise.all(chunks.map(({ hash }) => this.isKept(hash)));
      await this.write(
        window,
        chunks.filter((_, index) => kept[index] === false),
      );
    } finally {
      window.free();
    }
  }

  /** Takes small chunks that follow one another in a buffer of their own, and frees it. */
  async putBatch({ buffer, chunks }: Batch): Promise<void> {
    const bytes = (chunks.at(-1)?.end ?? 0) - (chunks[0]?.start ?? 0);
    try {
      this.throwIfFailed();
      if (bytes <= inlineBytesMax && this.hold(chunksIn(buffer, chunks).map(copied))) return;
      await this.spill();
      const release = await this.deps.smallBytes.acquire(bytes);
      try {
        await this.writeBatch(buffer, await this.notKept(chunks));
      } finally {
        release();
      }
    } finally {
      freeMemory(buffer);
    }
  }

  /** Makes durable what was put; its packs may fill of themselves until `hurry` resolves. Default: at once. */
  async seal(hurry?: Promise<unknown>): Promise<Omit<Sealed, "epoch">> {
    await Promise.all(this.placing);
    if (hurry !== undefined) await Promise.race([hurry, this.sealedInPassing()]);
    this.throwIfFailed();
    if (!this.isSpilled) return { packs: [], kept: [], inline: await this.inlineChunks() };
    const { writers } = this.deps;
    await Promise.all([
      writers.data.sealed([...this.wanted.data]),
      writers.node.sealed([...this.wanted.node]),
    ]);
    this.throwIfFailed();
    return { packs: [...this.packs.values()], kept: [...this.kept], inline: [] };
  }

  private async sealedInPassing(): Promise<void> {
    await Promise.allSettled([...this.wanted.data].map((frame) => frame.sealed));
  }

  /** Lets go of what is held, and takes nothing more. */
  clear(): void {
    this.failure ??= { error: new CodedError("aborted", "Cannot store: the request is over") };
    const { writers } = this.deps;
    writers.data.letGo(this.wanted.data);
    writers.node.letGo(this.wanted.node);
    this.wanted.data.clear();
    this.wanted.node.clear();
    for (const { onKept } of this.held.values()) onKept?.();
    this.held.clear();
    for (const unpin of this.unpins.splice(0)) unpin();
  }

  private hold(chunks: readonly NewChunk[]): boolean {
    if (this.isSpilled) return false;
    const fresh = new Map<string, NewChunk>();
    let bytes = 0;
    for (const chunk of chunks) {
      const key = keyOf(chunk.hash);
      if (this.held.has(key) || fresh.has(key)) continue;
      fresh.set(key, chunk);
      bytes += chunk.bytes.length;
    }
    const count = this.held.size + fresh.size;
    if (this.heldBytes + bytes > inlineBytesMax || count > inlineChunksMax) return false;
    for (const [key, chunk] of fresh) this.held.set(key, chunk);
    for (const chunk of chunks) if (this.held.get(keyOf(chunk.hash)) !== chunk) chunk.onKept?.();
    this.heldBytes += bytes;
    return true;
  }

  /** Too much to be held: what is held goes to packs, and so does all that follows. */
  private async spill(): Promise<void> {
    if (this.isSpilled) return;
    this.isSpilled = true;
    const held = [...this.held.values()];
    this.held.clear();
    for (const chunk of held) await this.placeSoon(chunk);
  }

  private async placeSoon(chunk: NewChunk): Promise<void> {
    const counted = Math.max(chunk.bytes.length, bytesCountedMin);
    const release = await this.deps.smallBytes.acquire(counted);
    const placing: Promise<void> = this.place(chunk)
      .catch((error: unknown) => {
        this.failure ??= { error };
      })
      .finally(() => {
        release();
        this.placing.delete(placing);
      });
    this.placing.add(placing);
  }

  private async place({ class: packClass, hash, bytes, onKept }: NewChunk): Promise<void> {
    let kept: Promise<unknown> = Promise.resolve();
    try {
      if (await this.isKept(hash)) return;
      this.throwIfFailed();
      // Between this look and the writer's claim nothing else runs: a chunk is written once.
      const writing = this.deps.chunks.frameOf(hash);
      const put = writing === undefined ? this.deps.writers[packClass].put(hash, bytes) : undefined;
      const frame = writing ?? put!.frame;
      this.want(frame);
      kept = frame.sealed;
      await put?.isTaken;
    } finally {
      if (onKept !== undefined) kept.then(onKept, onKept);
    }
  }

  /**
   * True when a recorded pack holds the chunk: it will be named. What is inline, or in a pack that is
   * lost or condemned, is written again.
   */
  private async isKept(hash: Buffer): Promise<boolean> {
    if (this.deps.chunks.frameOf(hash) !== undefined) return false;
    const located = await this.deps.index.find(hash);
    if (located?.kind !== "packed") return false;
    this.kept.add(located.row.pack);
    return true;
  }

  /** Those that no recorded pack holds; those that one does, it will be named for. */
  private async notKept(chunks: readonly KeyedChunk[]): Promise<readonly KeyedChunk[]> {
    const unknown = chunks.filter(
      ({ hash, key }) => this.deps.chunks.frameOf(hash, key) === undefined,
    );
    const located = await this.deps.index.findAll(unknown.map(({ hash }) => hash));
    const kept = new Set<KeyedChunk>();
    for (const [i, chunk] of unknown.entries()) {
      const found = located[i];
      if (found?.kind !== "packed") continue;
      this.kept.add(found.row.pack);
      kept.add(chunk);
    }
    return kept.size === 0 ? chunks : chunks.filter((chunk) => !kept.has(chunk));
  }

  /** Nothing else runs between the look whether a chunk is on its way and its claim: it is written once. */
  private async writeBatch(buffer: Buffer, chunks: readonly KeyedChunk[]): Promise<void> {
    this.throwIfFailed();
    const fresh = new Map<string, KeyedChunk>();
    for (const chunk of chunks) {
      const writing = this.deps.chunks.frameOf(chunk.hash, chunk.key);
      if (writing === undefined) fresh.set(chunk.key, chunk);
      else this.want(writing);
    }
    if (fresh.size === 0) return;
    const { frames, isTaken } = this.deps.writers.data.putTogether(buffer, [...fresh.values()]);
    for (const frame of frames) this.want(frame);
    freeMemory(await isTaken);
  }

  private async write(
    window: StoredWindow["window"],
    chunks: readonly HashedChunk[],
  ): Promise<void> {
    this.throwIfFailed();
    const writer = this.deps.writers.data;
    const taken: Promise<unknown>[] = [];
    const large = new Map<string, HashedChunk>();
    for (const chunk of chunks) {
      const { hash, start, end } = chunk;
      const writing = this.deps.chunks.frameOf(hash);
      if (writing !== undefined) this.want(writing);
      else if (end - start > sharedChunkBytesMax) large.set(keyOf(hash), chunk);
      else {
        const { frame, isTaken } = writer.put(hash, window.buffer.subarray(start, end));
        this.want(frame);
        taken.push(isTaken);
      }
    }
    if (large.size > 0) {
      const { frames, isTaken } = writer.putRanges(window.buffer, [...large.values()]);
      for (const frame of frames) this.want(frame);
      taken.push(
        isTaken.then((buffer) => {
          window.buffer = buffer;
        }),
      );
    }
    await Promise.all(taken);
  }

  /** The pack of this frame must be durable before the request is, and be recorded with it. */
  private want(frame: PackFrame): void {
    const wanted = this.wanted[frame.class];
    if (frame.place !== undefined) this.relyOn(frame.place.pack);
    if (frame.place !== undefined || wanted.has(frame)) return;
    wanted.add(frame);
    frame.hold();
    frame.sealed.then(
      (pack) => {
        this.relyOn(pack);
        wanted.delete(frame);
      },
      (error: unknown) => {
        this.failure ??= { error };
      },
    );
  }

  private relyOn(pack: PackRecord): void {
    if (this.packs.has(pack.id)) return;
    this.packs.set(pack.id, pack);
    if (pack.class === "node") this.unpins.push(this.deps.chunks.pin(pack.id));
  }

  private async inlineChunks(): Promise<InlineChunk[]> {
    const inline: InlineChunk[] = [];
    for (const { class: packClass, hash, bytes } of this.held.values()) {
      if (bytes.length < compressBytesMin) {
        inline.push({
          hash,
          class: packClass,
          bytes: bytes.length,
          codec: codec.stored,
          data: bytes,
        });
        continue;
      }
      // A copy: the buffer may move to another thread, and readers hold the one here.
      const ranges = [{ start: 0, end: bytes.length, chunks: 1 }];
      const { frames } = await this.deps.compute.encode({ buffer: Buffer.from(bytes), ranges });
      const packed = frames[0]!.packed;
      const kept =
        packed === undefined
          ? { codec: codec.stored, data: bytes }
          : { codec: codec.zstd, data: packed };
      inline.push({ hash, class: packClass, bytes: bytes.length, ...kept });
    }
    return inline;
  }

  private throwIfFailed(): void {
    if (this.failure !== undefined) throw this.failure.error;
  }
}

function chunksIn(buffer: Buffer, chunks: readonly HashedChunk[]): NewChunk[] {
  return chunks.map(({ hash, start, end }) => ({
    class: "data",
    hash,
    bytes: buffer.subarray(start, end),
  }));
}

function copied(chunk: NewChunk): NewChunk {
  return { ...chunk, bytes: Buffer.from(chunk.bytes) };
}
