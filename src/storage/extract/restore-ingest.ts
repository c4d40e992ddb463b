import { CodedError, isCoded } from "../../base/errors.ts";
import { MiB } from "../../base/size.ts";
import type { InlineChunk, MetadataStore, Sealed } from "../../metadata/index.ts";
import type { Compute } from "../compute.ts";
import type { Ingest } from "../ingest.ts";
import { decompress } from "../compute-work.ts";
import { keyOf } from "../session-chunks.ts";
import type { NodeSource, Piece } from "../tree/entry.ts";
import { ArrivedChunks } from "./arrived-chunks.ts";
import { damagedStream, type Part } from "./extract-format.ts";
import { TreeCheck, type Arrived } from "./tree-check.ts";

/** Parts that are unpacked and stored at the same time. */
const storingMax = 2;
/** After so many plain bytes what was stored is recorded, and no longer in memory. */
const stretchBytesDefault = 256 * MiB;
const stretchChunksMax = 65_536;

export interface RestoreIngestDeps {
  readonly compute: Compute;
  readonly metadata: Pick<MetadataStore, "call">;
  readonly openIngest: () => Ingest;
  readonly nodes: NodeSource;
  /** Has the index know the packs that are recorded. */
  readonly indexPending: () => Promise<void>;
  /** Of what has come, so many chunks are remembered. Default: two million. */
  readonly arrivedMax?: number;
  /** Plain bytes after which what was stored is recorded. Default: 256 MiB. */
  readonly stretchBytesMax?: number;
}

/**
 * Stores the chunks of a stream, in stretches: packs of each are recorded once they are full, so that a restore that
 * breaks off, and is begun again, finds what was stored. Nothing refers to any of it until the caller has recorded
 * what `seal` returns.
 */
export class RestoreIngest {
  private readonly deps: RestoreIngestDeps;
  /** Open from the beginning to the end: garbage collection waits for it. */
  private readonly whole: Ingest;
  private stretch: Ingest;
  private stretchBytes = 0;
  private stretchChunks = 0;
  private readonly storing = new Set<Promise<void>>();
  private failure: { readonly error: unknown } | undefined;
  /** Packs recorded so far that are relied on. */
  private readonly kept = new Set<string>();
  /** Small chunks that are in no pack: nobody would know that they are relied on. */
  private readonly inline = new Map<string, InlineChunk>();
  private readonly arrived: ArrivedChunks;
  /** Looks at the trees of what has been put. */
  readonly trees: TreeCheck;
  /** Of content, so far. */
  chunks = 0;
  bytes = 0;

  constructor(deps: RestoreIngestDeps) {
    this.deps = deps;
    this.whole = deps.openIngest();
    this.stretch = deps.openIngest();
    this.arrived = new ArrivedChunks(deps.arrivedMax);
    const arrived: Arrived = {
      node: (address) => this.node(address),
      lacking: (pieces) => this.lacking(pieces),
    };
    this.trees = new TreeCheck(arrived);
  }

  /**
   * Takes the chunks of a part. Resolves when the next one may come.
   *
   * @throws CodedError `invalid_argument` when they are not what the part says
   */
  async put(part: Part): Promise<void> {
    const { kind } = part;
    if (kind === "records") return;
    while (this.storing.size >= storingMax) await Promise.race(this.storing);
    this.throwIfFailed();
    const { stretchBytesMax = stretchBytesDefault } = this.deps;
    if (this.stretchBytes >= stretchBytesMax || this.stretchChunks >= stretchChunksMax)
      await this.endStretch();
    this.count(part);
    const ingest = this.stretch;
    const storing: Promise<void> = this.unpack(part)
      .then(async ({ buffer, ranges }) => {
        if (kind === "data") return await ingest.putChunks(kind, ranges, buffer);
        // So that they can be read again at once.
        for (const { start, end } of ranges)
          await ingest.nodes.put(Buffer.from(buffer.subarray(start, end)));
      })
      .catch((error: unknown) => {
        this.failure ??= { error };
      })
      .finally(() => this.storing.delete(storing));
    this.storing.add(storing);
  }

  /** The lines of a part of records. */
  async recordsOf(part: Part): Promise<string[]> {
    const { buffer } = await this.unpack(part);
    return buffer.toString("utf8").trimEnd().split("\n");
  }

  /** Waits until what was put is kept, as far as it can be read. */
  async settle(): Promise<void> {
    await Promise.all(this.storing);
    this.throwIfFailed();
  }

  /** Makes durable what was put. */
  async seal(): Promise<Sealed> {
    await this.settle();
    const { epoch } = await this.whole.seal();
    const { packs, kept, inline } = await this.stretch.seal();
    for (const pack of kept) this.kept.add(pack);
    return { epoch, packs, kept: [...this.kept], inline: [...this.inline.values(), ...inline] };
  }

  /** It is over; `error` is what the recording was refused with. */
  async end(error?: unknown): Promise<void> {
    await Promise.all(this.storing);
    this.stretch.end(error);
    this.whole.end(error);
  }

  private async endStretch(): Promise<void> {
    await this.settle();
    const ended = this.stretch;
    let failure: unknown;
    try {
      const sealed = await ended.seal();
      await this.deps.metadata.call("keepPacks", { sealed: { ...sealed, inline: [] } });
      for (const chunk of sealed.inline) this.inline.set(keyOf(chunk.hash), chunk);
      for (const { id } of sealed.packs) this.kept.add(id);
      for (const id of sealed.kept) this.kept.add(id);
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      this.stretch = this.deps.openIngest();
      this.stretchBytes = this.stretchChunks = 0;
      ended.end(failure);
    }
  }

  private count({ kind, chunks }: Part): void {
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.bytes, 0);
    this.stretchBytes += bytes;
    this.stretchChunks += chunks.length;
    if (kind !== "records")
      for (const chunk of chunks) this.arrived.add(kind, chunk.hash, chunk.bytes);
    if (kind !== "data") return;
    this.chunks += chunks.length;
    this.bytes += bytes;
  }

  /** Checks every byte of a part. */
  private async unpack({ frame, chunks }: Part): Promise<Unpacked> {
    const { compute } = this.deps;
    const plain = await compute.decode(frame).catch((error: unknown) => {
      throw isCoded(error, "data_loss") ? damagedStream("a part cannot be unpacked", error) : error;
    });
    let end = 0;
    const ranges = chunks.map(({ hash, bytes }) => ({ hash, start: end, end: (end += bytes) }));
    const { buffer, hashes } = await compute.hash({ buffer: plain, ranges });
    if (!hashes.every((hash, index) => hash.equals(chunks[index]!.hash)))
      throw damagedStream("a chunk is not what its hash says");
    return { buffer, ranges };
  }

  private async node(address: Buffer): Promise<Buffer> {
    const hasCome =
      this.arrived.bytesOf("node", address) !== undefined ||
      (await this.relyOn([{ hash: address }])) === undefined;
    if (!hasCome) throw new CodedError("data_loss", `node ${address.toString("hex")} is not in it`);
    const inline = this.inline.get(keyOf(address));
    if (inline === undefined) return await this.deps.nodes.get(address);
    return decompress(Buffer.from(inline.data), inline.codec, inline.bytes);
  }

  private async lacking(pieces: readonly Piece[]): Promise<Piece | undefined> {
    const unknown: Piece[] = [];
    for (const piece of pieces) {
      const bytes = this.arrived.bytesOf("data", piece.hash);
      if (bytes === undefined) unknown.push(piece);
      else if (bytes !== piece.bytes) return piece;
    }
    return unknown.length === 0 ? undefined : await this.relyOn(unknown);
  }

  /**
   * The first of the chunks that is not there. One that is, and is not remembered, came long ago or was there
   * before: its pack is to be named.
   */
  private async relyOn<T extends WantedChunk>(chunks: readonly T[]): Promise<T | undefined> {
    if (!this.arrived.hasForgotten) return chunks[0];
    if ((await this.lookUp(chunks)) === undefined) return undefined;
    await this.endStretch();
    await this.deps.indexPending();
    return await this.lookUp(chunks);
  }

  private async lookUp<T extends WantedChunk>(chunks: readonly T[]): Promise<T | undefined> {
    const hashes = Buffer.concat(chunks.map(({ hash }) => hash));
    const { found } = await this.deps.metadata.call("findChunks", { hashes });
    const packed = new Map(found.map((row) => [keyOf(row.hash), row]));
    for (const chunk of chunks) {
      const row = packed.get(keyOf(chunk.hash));
      const there = row ?? this.inline.get(keyOf(chunk.hash));
      if (there === undefined || there.bytes !== (chunk.bytes ?? there.bytes)) return chunk;
      if (row !== undefined) this.kept.add(row.pack);
    }
    return undefined;
  }

  private throwIfFailed(): void {
    if (this.failure !== undefined) throw this.failure.error;
  }
}

interface WantedChunk {
  readonly hash: Buffer;
  readonly bytes?: number;
}

interface Unpacked {
  readonly buffer: Buffer;
  readonly ranges: readonly {
    readonly hash: Buffer;
    readonly start: number;
    readonly end: number;
  }[];
}
