import { CodedError, codedErrorFrom, isCoded } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Random } from "../../base/random.ts";
import type { JournalRecord, MetadataStore, Recovered } from "../../metadata/index.ts";
import type { ObjectStore } from "../../objectstore/index.ts";
import { readFooter } from "../chunk-index.ts";
import { packIdOf, packsPrefix } from "../pack-format.ts";
import { takeOverStore } from "./claim-store.ts";
import { listSegments, readSegment, type Segment } from "./read-journal.ts";
import { journalPrefix } from "./segment-format.ts";

const rowsPerCall = 1_000;
const recordsPerCall = 500;

export interface RecoverDeps {
  readonly objects: ObjectStore;
  readonly metadata: Pick<MetadataStore, "call">;
  readonly random: Random;
  readonly log: Log;
}

/** What came back, and what was found damaged on the way. */
export interface RecoverReport extends Recovered {
  readonly packs: number;
  readonly packBytes: number;
  readonly damagedPacks: readonly string[];
  readonly segments: number;
  readonly damagedSegments: readonly string[];
}

/**
 * Makes lost metadata anew from the object store: the index from the packs, repos, commits and pipelines
 * from the journal. The store is told that it belongs to this database from now on; nothing else in it is
 * changed. One that breaks off is begun once more.
 *
 * @throws CodedError `failed_precondition` when the metadata is in use; `not_found` for a store in which
 *   nothing is, and of which nothing is changed
 */
export async function recoverMetadata(
  deps: RecoverDeps,
  signal: AbortSignal,
): Promise<RecoverReport> {
  await requireStoreThere(deps.objects, signal);
  if (!(await deps.metadata.call("beginRecovery", {})))
    throw new CodedError(
      "failed_precondition",
      "Cannot recover: the database holds repos or data already. Give --root or --database of one that is new",
    );
  await takeOverStore(deps, signal);
  const packs = await recoverPacks(deps, signal);
  const segments = await listSegments(deps.objects, signal);
  const damagedSegments = new Set<string>();
  const apply = async (isWanted: (record: JournalRecord) => boolean): Promise<void> => {
    for (const segment of segments) {
      signal.throwIfAborted();
      const records = await readOrNote(deps, segment, { damaged: damagedSegments, signal });
      await applyRecords(deps, records.filter(isWanted));
    }
  };
  await apply(({ kind }) => kind !== "commit");
  await apply(({ kind }) => kind === "commit");
  const segment = Math.max(0, ...segments.map(({ number }) => number));
  const recovered = await deps.metadata.call("endRecovery", { segment });
  return {
    ...recovered,
    ...packs,
    segments: segments.length,
    damagedSegments: [...damagedSegments],
  };
}

async function requireStoreThere(objects: ObjectStore, signal: AbortSignal): Promise<void> {
  if (await holdsAny(objects, journalPrefix, signal)) return;
  if (await holdsAny(objects, packsPrefix, signal)) return;
  throw new CodedError(
    "not_found",
    "Cannot recover: the object store holds neither a journal nor packs. Look at its address: --object-store, or --root when there is none",
  );
}

async function holdsAny(
  objects: ObjectStore,
  prefix: string,
  signal: AbortSignal,
): Promise<boolean> {
  for await (const { key } of objects.list(prefix, { signal })) return key.startsWith(prefix);
  return false;
}

async function recoverPacks(
  { objects, metadata, log }: RecoverDeps,
  signal: AbortSignal,
): Promise<Pick<RecoverReport, "packs" | "packBytes" | "damagedPacks">> {
  const found = { packs: 0, packBytes: 0, damagedPacks: [] as string[] };
  for await (const { key, bytes } of objects.list(packsPrefix, { signal })) {
    const id = packIdOf(key);
    if (id === undefined) continue;
    try {
      const rows = await readFooter(objects, { id, bytes }, signal);
      // The class says how long packs become, and no more: these are long enough.
      const pack = {
        id,
        bytes,
        class: "data",
        session: "",
        epoch: 0,
        chunks: rows.length,
      } as const;
      await metadata.call("adoptPack", { pack });
      for (let at = 0; at < rows.length; at += rowsPerCall)
        await metadata.call("indexPackSlice", {
          pack: id,
          rows: rows.slice(at, at + rowsPerCall),
          done: at + rowsPerCall >= rows.length,
        });
      found.packs++;
      found.packBytes += bytes;
      if (found.packs % 1_000 === 0) log.info({ packs: found.packs }, "packs have been read");
    } catch (error) {
      if (!isCoded(error, "data_loss") && !isCoded(error, "not_found")) throw error;
      log.warn({ pack: id, error: codedErrorFrom(error).message }, "a pack cannot be read");
      found.damagedPacks.push(id);
    }
  }
  return found;
}

async function readOrNote(
  { objects, log }: RecoverDeps,
  segment: Segment,
  { damaged, signal }: { damaged: Set<string>; signal: AbortSignal },
): Promise<JournalRecord[]> {
  try {
    return (await readSegment(objects, segment, signal)) ?? [];
  } catch (error) {
    if (!isCoded(error, "data_loss")) throw error;
    if (!damaged.has(segment.key))
      log.warn({ segment: segment.key, error: error.message }, "a segment cannot be read");
    damaged.add(segment.key);
    return [];
  }
}

async function applyRecords(
  { metadata }: RecoverDeps,
  records: readonly JournalRecord[],
): Promise<void> {
  for (let at = 0; at < records.length; at += recordsPerCall)
    await metadata.call("applyJournal", { records: records.slice(at, at + recordsPerCall) });
}
