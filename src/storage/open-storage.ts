import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import { Semaphore } from "../base/semaphore.ts";
import { MiB } from "../base/size.ts";
import type { MetadataStore, PackState } from "../metadata/index.ts";
import type { ObjectStore } from "../objectstore/index.ts";
import { ChunkIndex } from "./chunk-index.ts";
import type { Compute } from "./compute.ts";
import type { StorageUse } from "../model/storage-use.ts";
import type { GarbageReport } from "../model/garbage.ts";
import { drainInline } from "./drain.ts";
import { collectGarbage, type GarbageDeps } from "./garbage/collect-garbage.ts";
import { findOrphans, type Orphan } from "./garbage/orphans.ts";
import { adoptOrphans } from "./verify/adopt-orphans.ts";
import { verifyInline } from "./verify/verify-inline.ts";
import { reindexPack, verifyPacks, type VerifiedPack } from "./verify/verify-packs.ts";
import { TreeVerifier } from "./verify/verify-tree.ts";
import { claimStore, requireStore } from "./journal/claim-store.ts";
import { writeJournal } from "./journal/write-journal.ts";
import { ExtractWriter } from "./extract/extract-writer.ts";
import { RestoreIngest } from "./extract/restore-ingest.ts";
import { IngestBudget } from "./ingest-budget.ts";
import type { Ingest, PackClass } from "./ingest.ts";
import { NodeCache } from "./node-cache.ts";
import { openIngest } from "./open-ingest.ts";
import { storeParts, type PartsOptions, type StoredPart } from "./ingest-parts.ts";
import { PackReader, type PieceRange } from "./pack-reader.ts";
import { PackWriter } from "./pack-writer.ts";
import type { WantedChunk } from "./read-batch.ts";
import { SessionChunks } from "./session-chunks.ts";
import { Session, type SessionFacts } from "./session.ts";
import { DecodedNodes } from "./tree/decoded-nodes.ts";
import type { NodeSource } from "./tree/entry.ts";
import { StoredBytes } from "./weigh/stored-bytes.ts";
import { weighEach, type OwnBytes, type WeighedEach } from "./weigh/weigh-each.ts";
import { weigh, type Weighed } from "./weigh/weigh.ts";

/** Memory for streams on their way in, of all requests together. */
const streamBytesMax = 64 * MiB;
/** Small chunks on their way, of all requests together. */
const smallBytesMax = 16 * MiB;

export interface StorageDeps {
  readonly objects: ObjectStore;
  readonly metadata: Pick<MetadataStore, "call">;
  readonly compute: Compute;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Id of this run of the daemon, the first: packs belong to it. */
  readonly session: string;
}

/** Looking after what is stored, a part at a time. */
export interface Verifying {
  verifyPacks(options: { readData: boolean }, signal: AbortSignal): AsyncIterable<VerifiedPack>;
  verifyInline(signal: AbortSignal): Promise<Buffer[]>;
  openTreeVerifier(signal: AbortSignal): TreeVerifier;
  findOrphans(signal: AbortSignal): Promise<Orphan[]>;
  adoptOrphans(
    orphans: readonly Orphan[],
    wanted: ReadonlyMap<string, Buffer>,
    signal: AbortSignal,
  ): Promise<string[]>;
  /** Has the index lead to the chunks of a pack again. */
  reindexPack(pack: PackState, signal: AbortSignal): Promise<void>;
  /** From here on the pack's chunks are stored again when they come again. */
  losePack(id: string, problem: string): Promise<void>;
}

/** What is done with all that repos hold. */
export interface Bulk {
  /** Begins the bytes of an extract. */
  openExtract(): ExtractWriter;
  /** Begins to store the chunks of one. */
  openRestore(signal: AbortSignal): RestoreIngest;
  /** Tells what content takes. See weigh(). */
  weigh(weighed: Weighed, signal: AbortSignal): Promise<Omit<StorageUse, "logicalBytes">>;
  /** The same of each of several. See weighEach(). */
  weighEach(weighed: WeighedEach, signal: AbortSignal): Promise<Map<number, OwnBytes>>;
}

/** Chunks and nodes of all commits: written by ingests, read by hash. */
export interface Storage {
  /** Makes the object store this database's own. To be called first. See claimStore(). */
  claimStore(signal: AbortSignal): Promise<void>;
  /** Begins a request's worth of new bytes. */
  openIngest(): Ingest;
  /** Stores a stream part by part. See storeParts(). */
  storeParts(source: AsyncIterable<Uint8Array>, options: PartsOptions): AsyncIterable<StoredPart>;
  /** Tree nodes, of ingests still going on too. */
  readonly nodes: NodeSource;
  /**
   * The bytes of pieces, in order, one buffer each, which must not be changed. Fetches a little ahead.
   *
   * @throws CodedError `data_loss` when a chunk is nowhere or damaged, naming its hash
   */
  readPieces(pieces: AsyncIterable<PieceRange>, signal: AbortSignal): AsyncIterable<Buffer>;
  /**
   * Reads many whole chunks into a buffer, each to its place; cheaper by far than one after the other when they are
   * small and were put together.
   *
   * @throws CodedError `data_loss` when a chunk is nowhere or damaged, naming its hash
   */
  readChunks(chunks: readonly WantedChunk[], into: Buffer, signal: AbortSignal): Promise<void>;
  /**
   * Gives the memory of a part that readPieces() gave out back at once: garbage collection, which has to be
   * told to hurry by every few megabytes, costs as much as reading. Nobody may look into it any more.
   */
  freePiece(part: Buffer): void;
  /** Writes the index rows of packs that have none yet, in small slices. To be called now and then. */
  indexPending(signal: AbortSignal): Promise<void>;
  /**
   * Moves inline chunks into packs when they are many or old; with `force`, all. To be called now and
   * then. Gives back how many left the metadata.
   */
  drainInline(signal: AbortSignal, options?: { force?: boolean }): Promise<number>;
  /** Tells the object store what changed in the metadata. To be called now and then. See writeJournal(). */
  writeJournal(signal: AbortSignal): Promise<void>;
  /** Removes what nothing refers to any more, or tells what it would remove. See collectGarbage(). */
  collectGarbage(options: { isDryRun: boolean }, signal: AbortSignal): Promise<GarbageReport>;
  /** Chunks of whole repos: out of a store, into another, and what they take. */
  readonly bulk: Bulk;
  /** What fsck works with. */
  readonly verifying: Verifying;
  /** Says that this session is still here. To be called first, and every two seconds. */
  renewSession(facts: SessionFacts): Promise<void>;
  /** The same, at once: for one that was taken for dead, before it tries again. */
  rejoin(): Promise<void>;
  /** Gives up packs nobody waits for. No call may follow. */
  close(): Promise<void>;
}

/** The tops of the trees in use and the paths last walked: about 10 MiB. */
const nodesDecodedMax = 128;

/** Opens the storage of one daemon session. What it is given stays the caller's to close. */
export function openStorage(deps: StorageDeps): Storage {
  const session = new Session(deps.session, deps);
  const chunks = new SessionChunks(() => session.epoch);
  const index = new ChunkIndex({ ...deps, chunks });
  const writers = writersWith({ ...deps, chunks, session });
  const reader = new PackReader({ ...deps, index });
  const nodes = new NodeCache();
  const closing = new AbortController();
  const ingestDeps = {
    compute: deps.compute,
    session,
    index,
    chunks,
    writers,
    nodes,
    smallBytes: new Semaphore(smallBytesMax),
    budget: new IngestBudget(streamBytesMax),
  };
  let facts: SessionFacts = { address: "", release: "" };
  const rejoin = (): Promise<void> => session.renew(facts);
  const sources: NodeSource = {
    get: (address) => nodes.getOrLoad(address, () => reader.readChunk(address, closing.signal)),
    decoded: new DecodedNodes(nodesDecodedMax),
  };
  const settle = async (signal: AbortSignal): Promise<void> => {
    await drainInline({ ...deps, index, session }, signal, { force: true });
    await index.indexPending(signal);
  };
  const garbageDeps: GarbageDeps = {
    ...deps,
    session,
    indexPending: (signal) => index.indexPending(signal),
    settle,
    // Each node is read once.
    nodes: { get: (address) => sources.get(address) },
    readChunk: (hash, signal, bytes) => reader.readChunk(hash, signal, bytes),
    renewSession: rejoin,
  };
  const ingest = (): Ingest => openIngest(ingestDeps);
  return {
    bulk: bulkWith({ ...garbageDeps, index, reader, openIngest: ingest }),
    verifying: verifyingWith({ ...deps, session, index, reader }),
    openIngest: ingest,
    storeParts: (source, options) =>
      storeParts({ ...ingestDeps, clock: deps.clock }, source, options),
    nodes: sources,
    readPieces: (pieces, signal) => reader.readPieces(pieces, signal),
    readChunks: (wanted, into, signal) => reader.readBatch(wanted, into, signal),
    freePiece: (part) => reader.free(part),
    indexPending: (signal) => index.indexPending(signal),
    drainInline: (signal, options) => drainInline({ ...deps, index, session }, signal, options),
    writeJournal: (signal) => writeJournal({ ...deps, session }, signal),
    async collectGarbage(options, signal) {
      await requireStore(deps, signal);
      return await collectGarbage(garbageDeps, options, signal);
    },
    claimStore: (signal) => claimStore(deps, signal),
    rejoin,
    renewSession(told) {
      facts = told;
      return session.renew(told);
    },
    async close() {
      closing.abort();
      await Promise.all([writers.data.close(), writers.node.close()]);
      await session.end();
    },
  };
}

function writersWith(
  deps: ConstructorParameters<typeof PackWriter>[1],
): Readonly<Record<PackClass, PackWriter>> {
  return { data: new PackWriter("data", deps), node: new PackWriter("node", deps) };
}

function bulkWith(
  deps: Pick<StorageDeps, "objects" | "compute" | "metadata"> & {
    nodes: NodeSource;
    index: ChunkIndex;
    reader: PackReader;
    openIngest: () => Ingest;
  },
): Bulk {
  const { reader } = deps;
  return {
    openExtract: () =>
      new ExtractWriter({
        ...deps,
        readPieces: (pieces, signal) => reader.readPieces(pieces, signal),
        freePiece: (part) => {
          reader.free(part);
        },
      }),
    openRestore: (signal) =>
      new RestoreIngest({ ...deps, indexPending: () => deps.index.indexPending(signal) }),
    weigh: (weighed, signal) =>
      weigh(weighed, { nodes: deps.nodes, stored: new StoredBytes(deps) }, signal),
    weighEach: (weighed, signal) =>
      weighEach(weighed, { nodes: deps.nodes, stored: new StoredBytes(deps) }, signal),
  };
}

function verifyingWith(
  deps: Omit<StorageDeps, "session"> & { session: Session; index: ChunkIndex; reader: PackReader },
): Verifying {
  return {
    verifyPacks: (options, signal) => verifyPacks(deps, options, signal),
    verifyInline: (signal) => verifyInline(deps.metadata, signal),
    openTreeVerifier(signal) {
      const readChunk = (hash: Buffer): Promise<Buffer> => deps.reader.readChunk(hash, signal);
      return new TreeVerifier({ metadata: deps.metadata, readChunk, signal });
    },
    reindexPack: (pack, signal) => reindexPack(deps, pack, signal),
    findOrphans: (signal) => findOrphans(deps, signal),
    adoptOrphans: (orphans, wanted, signal) => adoptOrphans(deps, orphans, wanted, signal),
    losePack: (id, problem) => deps.index.losePack(id, problem),
  };
}
