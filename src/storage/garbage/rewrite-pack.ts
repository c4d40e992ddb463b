import type { ChunkRow, MetadataStore } from "../../metadata/index.ts";
import { readFooter } from "../chunk-index.ts";
import { PackWriter, type PackWriterDeps } from "../pack-writer.ts";
import type { PackFrame } from "../pack-frame.ts";
import { SessionChunks } from "../session-chunks.ts";
import type { SweptPack } from "./sweep.ts";

/** Rows changed in one transaction. */
const rowsMax = 1_000;

/** Chunks asked for in one transaction. */
const hashesMax = 500;

export interface RewriteDeps extends Omit<PackWriterDeps, "chunks"> {
  readonly metadata: Pick<MetadataStore, "call">;
  readonly readChunk: (hash: Buffer, signal: AbortSignal, bytes: number) => Promise<Buffer>;
  /** Records the packs, and that the rows have moved from `from`. */
  readonly move: (moved: {
    from: number;
    packs: Awaited<ReturnType<PackWriter["sealed"]>>;
    rows: ChunkRow[];
  }) => Promise<void>;
}

/** Copies what is wanted of a pack into a new one and moves its index rows there; gives back its bytes. */
export async function rewritePack(
  pack: SweptPack,
  isWanted: (hash: Buffer) => boolean,
  deps: RewriteDeps,
  signal: AbortSignal,
): Promise<number> {
  const footer = await readFooter(deps.objects, pack, signal);
  const rows = await foundIn(
    pack,
    footer.filter(({ hash }) => isWanted(hash)),
    deps,
  );
  const writer = new PackWriter(pack.class, { ...deps, chunks: new SessionChunks() });
  try {
    const frames = new Set<PackFrame>();
    for (const { hash, bytes } of rows) {
      const { frame, isTaken } = writer.put(hash, await deps.readChunk(hash, signal, bytes));
      frames.add(frame);
      await isTaken;
    }
    const sealed = await writer.sealed([...frames]);
    const packs = [...new Map(sealed.map((record) => [record.id, record])).values()];
    const moved = [...frames].flatMap((frame) => frame.rows(frame.place!));
    for (let at = 0; at < moved.length; at += rowsMax)
      await deps.move({ from: pack.number, packs, rows: moved.slice(at, at + rowsMax) });
    return packs.reduce((sum, { bytes }) => sum + bytes, 0);
  } finally {
    await writer.close();
  }
}

/** Those that readers find in this pack: others are copies of what another pack holds. */
async function foundIn(
  pack: SweptPack,
  rows: readonly ChunkRow[],
  { metadata }: RewriteDeps,
): Promise<ChunkRow[]> {
  const here: ChunkRow[] = [];
  for (let at = 0; at < rows.length; at += hashesMax) {
    const hashes = Buffer.concat(rows.slice(at, at + hashesMax).map(({ hash }) => hash));
    const { found } = await metadata.call("findChunks", { hashes });
    here.push(...found.filter((row) => row.pack === pack.id));
  }
  return here;
}
