import { isCoded } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { KiB } from "../base/size.ts";
import type { ChunkRow, MetadataStore, PackRecord } from "../metadata/index.ts";
import type { ObjectStore } from "../objectstore/index.ts";
import { ChunkLookUps, type Located } from "./chunk-look-ups.ts";
import { decodeFooter, footerBytesOf, packKey } from "./pack-format.ts";
import type { SessionChunks } from "./session-chunks.ts";

/** Rows written in one transaction: small, so that nobody waits long behind it. */
const rowsMax = 1_000;
/** Packs asked for at a time. */
const packsMax = 16;
/** Read of a pack's end that holds most footers whole. */
const tailBytes = 64 * KiB;

export interface ChunkIndexDeps {
  readonly objects: ObjectStore;
  readonly metadata: Pick<MetadataStore, "call">;
  readonly chunks: SessionChunks;
  readonly log: Log;
}

/**
 * Knows where chunks are: in frames of this session, in packs, or inline in the metadata. The rows in
 * the metadata are derived from the footers of packs and may be thrown away at any time.
 */
export class ChunkIndex {
  private readonly deps: ChunkIndexDeps;
  private readonly lookUps: ChunkLookUps;
  private readonly unreadable = new Set<string>();
  private indexing: Promise<void> = Promise.resolve();

  constructor(deps: ChunkIndexDeps) {
    this.deps = deps;
    this.lookUps = new ChunkLookUps(deps.metadata);
  }

  /** Where a chunk is, as far as packs have been indexed. */
  async find(hash: Buffer): Promise<Located | undefined> {
    return await this.lookUps.find(hash);
  }

  /** The same of many at once. */
  async findAll(hashes: readonly Buffer[]): Promise<(Located | undefined)[]> {
    return await this.lookUps.findAll(hashes);
  }

  /** Where chunks can be read, as far as packs have been indexed or are this session's. */
  async locateAll(hashes: readonly Buffer[]): Promise<(Located | undefined)[]> {
    const own = hashes.map((hash) => this.deps.chunks.rowOf(hash));
    const asked = hashes.filter((_, i) => own[i] === undefined);
    const found = (await this.lookUps.findAll(asked)).values();
    return own.map((row) =>
      row === undefined ? found.next().value : { kind: "packed" as const, row },
    );
  }

  /** Where a chunk can be read; when nobody knows for sure, packs not yet indexed are looked through first. */
  async locate(hash: Buffer, signal: AbortSignal): Promise<Located | undefined> {
    const row = this.deps.chunks.rowOf(hash);
    if (row !== undefined) return { kind: "packed", row };
    const located = await this.lookUps.find(hash);
    if (located !== undefined && located.kind !== "lost") return located;
    await this.indexPending(signal);
    return await this.lookUps.find(hash);
  }

  /** A pack was found missing or damaged: from here on its chunks are stored again when they come again. */
  async losePack(id: string, error: unknown): Promise<void> {
    this.deps.chunks.forgetPack(id);
    if (await this.deps.metadata.call("markPackLost", { pack: id }))
      this.deps.log.error({ err: error, pack: id }, "a pack is missing or damaged");
  }

  /** Writes index rows for every pack recorded before the call that has none yet, in small slices. */
  async indexPending(signal: AbortSignal): Promise<void> {
    // One at a time; a run begun earlier may have missed a pack recorded since.
    const previous = this.indexing;
    const run = previous.then(() => this.indexAll(signal));
    this.indexing = run.catch(() => undefined);
    await run;
  }

  private async indexAll(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const limit = packsMax + this.unreadable.size;
      const packs = await this.deps.metadata.call("listUnindexedPacks", { limit });
      const readable = packs.filter((pack) => !this.unreadable.has(pack.id));
      if (readable.length === 0) return;
      for (const pack of readable) await this.indexPack(pack, signal);
    }
  }

  private async indexPack(
    pack: Pick<PackRecord, "id" | "bytes">,
    signal: AbortSignal,
  ): Promise<void> {
    const rows = this.deps.chunks.rowsOfPack(pack.id) ?? (await this.readRows(pack, signal));
    if (rows === undefined) return;
    for (let at = 0; at === 0 || at < rows.length; at += rowsMax) {
      signal.throwIfAborted();
      const done = at + rowsMax >= rows.length;
      await this.deps.metadata.call("indexPackSlice", {
        pack: pack.id,
        rows: rows.slice(at, at + rowsMax),
        done,
      });
    }
    this.deps.chunks.forgetPack(pack.id);
  }

  /** The rows of a pack's footer; a damaged or missing pack is reported once and left out. */
  private async readRows(
    pack: Pick<PackRecord, "id" | "bytes">,
    signal: AbortSignal,
  ): Promise<ChunkRow[] | undefined> {
    try {
      return await readFooter(this.deps.objects, pack, signal);
    } catch (error) {
      if (!isCoded(error, "data_loss") && !isCoded(error, "not_found")) throw error;
      this.unreadable.add(pack.id);
      this.deps.log.error(
        { err: error, pack: pack.id },
        "a pack cannot be indexed: its footer cannot be read",
      );
      return undefined;
    }
  }
}

/**
 * Reads where the chunks of a pack are.
 *
 * @throws CodedError `data_loss`, `not_found`
 */
export async function readFooter(
  objects: ObjectStore,
  pack: Pick<PackRecord, "id" | "bytes">,
  signal?: AbortSignal,
): Promise<ChunkRow[]> {
  const options = signal === undefined ? {} : { signal };
  const readTail = async (wanted: number): Promise<Buffer> => {
    const length = Math.min(wanted, pack.bytes);
    return await objects.read(packKey(pack.id), { start: pack.bytes - length, length }, options);
  };
  let tail = await readTail(tailBytes);
  const length = footerBytesOf(tail);
  if (length > tail.length) tail = await readTail(length);
  return decodeFooter(tail, pack);
}
