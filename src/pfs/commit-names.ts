import type { MetadataStore } from "../metadata/index.ts";
import type { CommitName } from "../model/commit.ts";

/** Names kept of a store: about 4 MiB. */
const keptMax = 16_384;

/** What trees call a commit never gets another name, and its trees go when it goes. */
const keptOf = new WeakMap<MetadataStore, Map<string, CommitName>>();

/** Names of commits by uid, asked for once; deleted ones are left out. */
export async function commitNames(
  metadata: MetadataStore,
  uids: readonly string[],
): Promise<ReadonlyMap<string, CommitName>> {
  const kept = keptOf.get(metadata) ?? new Map<string, CommitName>();
  keptOf.set(metadata, kept);
  const names = new Map<string, CommitName>();
  const unknown: string[] = [];
  for (const uid of uids) {
    const name = kept.get(uid);
    if (name === undefined) unknown.push(uid);
    else names.set(uid, name);
  }
  if (unknown.length === 0) return names;
  const found = await metadata.call("commitNames", { uids: unknown });
  for (const [uid, name] of Object.entries(found)) {
    names.set(uid, name);
    kept.set(uid, name);
  }
  for (const oldest of kept.keys()) {
    if (kept.size <= keptMax) break;
    kept.delete(oldest);
  }
  return names;
}
