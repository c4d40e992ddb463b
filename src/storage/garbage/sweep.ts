import type { MetadataStore, PackState } from "../../metadata/index.ts";
import type { Marks } from "./marks.ts";

const packsPerPage = 1_000;
const locationsPerPage = 5_000;

/** A pack, and how many chunks the index finds in it that are referred to. */
export interface SweptPack extends PackState {
  liveChunks: number;
}

export interface SweepDeps {
  readonly metadata: Pick<MetadataStore, "call">;
  readonly keepOn: () => Promise<void>;
  readonly signal: AbortSignal;
}

/** Counts what is marked in each pack. */
export async function sweep(marks: Marks, deps: SweepDeps): Promise<SweptPack[]> {
  const packs = new Map<number, SweptPack>();
  for await (const pack of packsOf(deps)) packs.set(pack.number, { ...pack, liveChunks: 0 });
  let after: Buffer = Buffer.alloc(0);
  for (;;) {
    deps.signal.throwIfAborted();
    await deps.keepOn();
    const rows = await deps.metadata.call("listLocations", { after, limit: locationsPerPage });
    for (const { hash, pack } of rows) {
      const swept = packs.get(pack);
      if (swept !== undefined && marks.has(hash)) swept.liveChunks++;
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < locationsPerPage) return [...packs.values()];
    after = last.hash;
  }
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
