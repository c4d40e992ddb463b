import type { MetadataStore } from "../../metadata/index.ts";
import type { ObjectStore } from "../../objectstore/index.ts";
import { packIdOf, packsPrefix } from "../pack-format.ts";

const idsPerCall = 500;
/** More are left to the next run. */
const orphansMax = 100_000;

/** An object that no row knows. */
export interface Orphan {
  readonly id: string;
  readonly bytes: number;
}

/** Packs in the object store that no row knows: of uploads on their way, or of some that never ended. */
export async function findOrphans(
  { objects, metadata }: { objects: ObjectStore; metadata: Pick<MetadataStore, "call"> },
  signal: AbortSignal,
): Promise<Orphan[]> {
  const orphans: Orphan[] = [];
  let batch: Orphan[] = [];
  const ask = async (): Promise<void> => {
    const ids = batch.map(({ id }) => id);
    const unknown = new Set(await metadata.call("unknownPacks", { ids }));
    orphans.push(...batch.filter(({ id }) => unknown.has(id)));
    batch = [];
  };
  for await (const { key, bytes } of objects.list(packsPrefix, { signal })) {
    const id = packIdOf(key);
    if (id !== undefined) batch.push({ id, bytes });
    if (batch.length >= idsPerCall) await ask();
    if (orphans.length >= orphansMax) break;
  }
  await ask();
  return orphans;
}
