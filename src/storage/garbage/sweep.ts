import type { MetadataStore, PackState } from "../../metadata/index.ts";
import type { Marks } from "./marks.ts";

const packsPerPage = 1_000;
const locationsPerPage = 5_000;
/** Index rows removed in one transaction. */
const droppedPerCall = 500;

/** A pack, and what the index finds in it, in plain bytes. */
export interface SweptPack extends PackState {
  /** Chunks that are found here, and not in another pack. */
  foundChunks: number;
  foundBytes: number;
  /** Those of them that are referred to. */
  liveChunks: number;
  liveBytes: number;
}

export interface SweepDeps {
  readonly metadata: Pick<MetadataStore, "call">;
  readonly keepOn: () => Promise<void>;
  readonly signal: AbortSignal;
}

/**
 * Counts what is marked in each pack.
 *
 * @param options.dropDangling also removes index rows of packs that are gone
 */
export async function sweep(
  marks: Pick<Marks, "has">,
  deps: SweepDeps,
  options: { dropDangling?: boolean } = {},
): Promise<SweptPack[]> {
  const packs = new Map<number, SweptPack>();
  let lastPack = 0;
  for await (const pack of packsOf(deps)) {
    packs.set(pack.number, { ...pack, ...nothingFound });
    lastPack = pack.number;
  }
  let after: Buffer = Buffer.alloc(0);
  for (;;) {
    deps.signal.throwIfAborted();
    await deps.keepOn();
    const rows = await deps.metadata.call("listLocations", { after, limit: locationsPerPage });
    const dangling: { hash: Buffer; pack: number }[] = [];
    for (const row of rows) {
      const swept = packs.get(row.pack);
      if (swept !== undefined) count(swept, row.bytes, marks.has(row.hash));
      // Others may have been recorded since the packs were listed.
      if (row.pack <= lastPack && (swept === undefined || swept.state === "deleted"))
        dangling.push({ hash: row.hash, pack: row.pack });
    }
    if (options.dropDangling === true) await dropLocations(deps.metadata, dangling);
    const last = rows.at(-1);
    if (last === undefined || rows.length < locationsPerPage) return [...packs.values()];
    after = last.hash;
  }
}

const nothingFound = { foundChunks: 0, foundBytes: 0, liveChunks: 0, liveBytes: 0 };

function count(pack: SweptPack, bytes: number, isLive: boolean): void {
  pack.foundChunks++;
  pack.foundBytes += bytes;
  if (!isLive) return;
  pack.liveChunks++;
  pack.liveBytes += bytes;
}

/**
 * Whether less than half of a pack's bytes are live. Those of chunks that the index finds elsewhere are
 * not known: they count as much as the others on average.
 */
export function isSparse({ chunks, foundChunks, foundBytes, liveBytes }: SweptPack): boolean {
  return liveBytes * 2 * foundChunks < foundBytes * chunks;
}

/** Removes index rows, in slices; one that leads elsewhere by now stays. */
export async function dropLocations(
  metadata: Pick<MetadataStore, "call">,
  rows: readonly { hash: Buffer; pack: number }[],
): Promise<void> {
  for (let at = 0; at < rows.length; at += droppedPerCall)
    await metadata.call("dropLocations", { rows: rows.slice(at, at + droppedPerCall) });
}

async function* packsOf({
  metadata,
  signal,
}: Omit<SweepDeps, "keepOn">): AsyncGenerator<PackState, void, void> {
  for (let after = 0; ;) {
    signal.throwIfAborted();
    const page = await metadata.call("listPacks", { after, limit: packsPerPage });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < packsPerPage) return;
    after = last.number;
  }
}
