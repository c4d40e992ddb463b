import { isCoded } from "../../base/errors.ts";
import type { MetadataStore } from "../../metadata/index.ts";
import type { ObjectStore } from "../../objectstore/index.ts";
import { readFooter } from "../chunk-index.ts";
import type { Orphan } from "../garbage/orphans.ts";
import type { Session } from "../session.ts";
import { keyOf } from "../session-chunks.ts";

/** Records those unrecorded packs that hold something wanted; gives back their ids. */
export async function adoptOrphans(
  deps: {
    objects: ObjectStore;
    metadata: Pick<MetadataStore, "call">;
    session: Pick<Session, "epoch">;
  },
  orphans: readonly Orphan[],
  wanted: ReadonlyMap<string, Buffer>,
  signal: AbortSignal,
): Promise<string[]> {
  const adopted: string[] = [];
  for (const orphan of orphans) {
    if (wanted.size === 0) break;
    // From before the look at it: should it be collected meanwhile, its record is refused.
    const { epoch } = deps.session;
    const rows = await readFooter(deps.objects, orphan, signal).catch((error: unknown) => {
      if (isCoded(error, "data_loss") || isCoded(error, "not_found")) return [];
      throw error;
    });
    if (!rows.some(({ hash }) => wanted.has(keyOf(hash)))) continue;
    // The class says how long packs become, and no more: what was adopted is long enough.
    const pack = { ...orphan, class: "data", session: "", epoch, chunks: rows.length } as const;
    await deps.metadata.call("adoptPack", { pack });
    adopted.push(orphan.id);
  }
  return adopted;
}
