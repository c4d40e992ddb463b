import { isCoded } from "../base/errors.ts";
import { MiB } from "../base/size.ts";
import type { InlineChunk, MetadataStore, PackClass } from "../metadata/index.ts";
import type { ChunkIndex } from "./chunk-index.ts";
import { decompress } from "./compute-work.ts";
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
 * point leaves a pack nobody knows, never a chunk that is nowhere.
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
    if (chunks.length === 0 || !(await drainBatch(deps, owner, chunks))) return drained;
    drained += chunks.length;
  }
}

/** False when another daemon has taken the drain over meanwhile. */
async function drainBatch(
  deps: DrainDeps,
  owner: string,
  chunks: readonly InlineChunk[],
): Promise<boolean> {
  const leave = deps.session.enter();
  // Packs of its own: what it holds is known and indexed in the transaction that removes the inline rows.
  const own = { ...deps, chunks: new SessionChunks() };
  const writers = { data: new PackWriter("data", own), node: new PackWriter("node", own) };
  try {
    const frames = await packAll(deps, chunks, writers);
    const packs = [
      ...(await writers.data.sealed([...frames.data])),
      ...(await writers.node.sealed([...frames.node])),
    ];
    const rows = [...frames.data, ...frames.node].flatMap((frame) => frame.rows(frame.place!));
    await deps.metadata.call("finishDrain", {
      owner,
      packs: [...new Map(packs.map((pack) => [pack.id, pack])).values()],
      rows,
      hashes: chunks.map(({ hash }) => hash),
    });
    return true;
  } catch (error) {
    if (!isCoded(error, "aborted")) throw error;
    deps.log.info({ err: error }, "the drain was taken over by another daemon");
    return false;
  } finally {
    leave();
    await Promise.all([writers.data.close(), writers.node.close()]);
  }
}

async function packAll(
  deps: DrainDeps,
  chunks: readonly InlineChunk[],
  writers: Record<PackClass, PackWriter>,
): Promise<Record<PackClass, Set<PackFrame>>> {
  const frames = { data: new Set<PackFrame>(), node: new Set<PackFrame>() };
  // Looked up together; a chunk that a pack holds already need only leave the metadata.
  const located = await Promise.all(chunks.map(async ({ hash }) => await deps.index.find(hash)));
  for (const [index, chunk] of chunks.entries()) {
    if (located[index]?.kind === "packed") continue;
    const plain = decompress(chunk.data, chunk.codec, chunk.bytes);
    const { frame, isTaken } = writers[chunk.class].put(chunk.hash, plain);
    frames[chunk.class].add(frame);
    await isTaken;
  }
  return frames;
}
