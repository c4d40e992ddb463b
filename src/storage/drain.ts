import { isCoded } from "../base/errors.ts";
import { nextTurn } from "../base/next-turn.ts";
import { MiB } from "../base/size.ts";
import type { InlineChunk, MetadataStore, PackClass } from "../metadata/index.ts";
import type { ChunkIndex } from "./chunk-index.ts";
import { wholeInline } from "./inline-chunk.ts";
import type { PackFrame } from "./pack-frame.ts";
import { PackWriter, type PackWriterDeps } from "./pack-writer.ts";
import { SessionChunks } from "./session-chunks.ts";
import type { Session } from "./session.ts";

/** Inline chunks are packed when they are more than this together, so many at a time. */
const batchBytesMax = 16 * MiB;
/** At the latest after this time. */
const ageMicrosMax = 60_000_000;
/** A drainer that takes longer than this may be taken for dead. */
const leaseMs = 60_000;

export interface DrainDeps extends Omit<PackWriterDeps, "chunks" | "session"> {
  readonly session: Session;
  readonly metadata: Pick<MetadataStore, "call">;
  readonly index: ChunkIndex;
}

/**
 * Moves inline chunks from the metadata into packs, under a lease: one daemon at a time. A crash at any
 * point leaves a pack nobody knows, never a chunk that is nowhere. One that is not what its hash says is
 * told in the log, once, and stays where it is.
 *
 * @param options.force also what is few and young
 * @returns how many chunks left the metadata
 */
export async function drainInline(
  deps: DrainDeps,
  signal: AbortSignal,
  options: { force?: boolean } = {},
): Promise<number> {
  let drained = 0;
  // The same to the end: a session that is taken for dead goes on under another name.
  const owner = deps.session.id;
  for (;;) {
    signal.throwIfAborted();
    const olderThanMicros =
      options.force === true ? Number.MAX_SAFE_INTEGER : deps.clock.nowMicros() - ageMicrosMax;
    const { chunks } = await deps.metadata.call("takeInlineBatch", {
      owner,
      leaseMs,
      bytesMax: batchBytesMax,
      olderThanMicros,
    });
    const left = chunks.length === 0 ? undefined : await drainBatch(deps, owner, chunks);
    if (left === undefined) return drained;
    drained += left;
  }
}

/** Gives back how many left the metadata; undefined when another daemon has taken the drain over meanwhile. */
async function drainBatch(
  deps: DrainDeps,
  owner: string,
  chunks: readonly InlineChunk[],
): Promise<number | undefined> {
  const leave = deps.session.enter();
  // Packs of its own: what it holds is known and indexed in the transaction that removes the inline rows.
  const own = { ...deps, chunks: new SessionChunks() };
  const writers = { data: new PackWriter("data", own), node: new PackWriter("node", own) };
  try {
    const { frames, damaged } = await packAll(deps, chunks, writers);
    const packs = [
      ...(await writers.data.sealed([...frames.data])),
      ...(await writers.node.sealed([...frames.node])),
    ];
    const rows = [...frames.data, ...frames.node].flatMap((frame) => frame.rows(frame.place!));
    await deps.metadata.call("finishDrain", {
      owner,
      packs: [...new Map(packs.map((pack) => [pack.id, pack])).values()],
      rows,
      hashes: chunks.map(({ hash }) => hash).filter((hash) => !damaged.has(hash)),
      damaged: [...damaged],
    });
    for (const hash of damaged)
      deps.log.error(
        { chunk: hash.toString("hex") },
        "an inline chunk is damaged and cannot be packed: run pachctl fsck --read-data --repair, then put the same bytes again",
      );
    return chunks.length - damaged.size;
  } catch (error) {
    if (!isCoded(error, "aborted")) throw error;
    deps.log.info({ err: error }, "the drain was taken over by another daemon");
    return undefined;
  } finally {
    leave();
    await Promise.all([writers.data.close(), writers.node.close()]);
  }
}

interface Packed {
  readonly frames: Record<PackClass, Set<PackFrame>>;
  /** Hashes of chunks that are in no frame. */
  readonly damaged: ReadonlySet<Buffer>;
}

async function packAll(
  deps: DrainDeps,
  chunks: readonly InlineChunk[],
  writers: Record<PackClass, PackWriter>,
): Promise<Packed> {
  const frames = { data: new Set<PackFrame>(), node: new Set<PackFrame>() };
  const damaged = new Set<Buffer>();
  // Looked up together; a chunk that a pack holds already need only leave the metadata.
  const located = await Promise.all(chunks.map(async ({ hash }) => await deps.index.find(hash)));
  for (const [index, chunk] of chunks.entries()) {
    if (located[index]?.kind === "packed") continue;
    const plain = wholeInline(chunk);
    if (plain === undefined) {
      damaged.add(chunk.hash);
      continue;
    }
    const { frame, isTaken } = writers[chunk.class].put(chunk.hash, plain);
    frames[chunk.class].add(frame);
    await isTaken;
    // Hashing keeps the thread: others get their turn after each chunk.
    await nextTurn();
  }
  return { frames, damaged };
}
