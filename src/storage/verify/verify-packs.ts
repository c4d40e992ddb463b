import { CodedError, codedErrorFrom, isCoded } from "../../base/errors.ts";
import { sha256 } from "../../base/hash.ts";
import { nextTurn } from "../../base/next-turn.ts";
import type { ChunkRow, IndexCheck, MetadataStore, PackState } from "../../metadata/index.ts";
import type { ObjectStore } from "../../objectstore/index.ts";
import { readFooter as readFooterOf } from "../chunk-index.ts";
import type { Compute } from "../compute.ts";
import { decodePack, packKey } from "../pack-format.ts";

const packsPerPage = 200;
/** Chunks of a pack looked up in one transaction. */
const rowsPerCall = 1_000;
const noneWrong: IndexCheck = { misplaced: 0, unknown: 0 };

export interface VerifyPacksDeps {
  readonly objects: ObjectStore;
  readonly metadata: Pick<MetadataStore, "call">;
  readonly compute: Compute;
}

/** A recorded pack, and what is wrong with it. */
export interface VerifiedPack {
  readonly pack: PackState;
  readonly problem: string | undefined;
  /** How the index agrees with its footer. */
  readonly index: IndexCheck;
}

/**
 * Looks at every recorded pack: that its object is there, as long as recorded, and ends in its footer; with
 * `readData`, that every frame and every chunk is what its checksum and its hash say. One pack in memory.
 */
export async function* verifyPacks(
  deps: VerifyPacksDeps,
  { readData }: { readData: boolean },
  signal: AbortSignal,
): AsyncGenerator<VerifiedPack, void, void> {
  for (let after = 0; ;) {
    signal.throwIfAborted();
    const page = await deps.metadata.call("listPacks", { after, limit: packsPerPage });
    for (const pack of page) {
      after = pack.number;
      if (pack.state === "deleted") continue;
      const verified = await verifyPack(deps, pack, { readData }, signal);
      const isFine = verified.problem === undefined && verified.index.misplaced === 0;
      // It may have been collected while we looked.
      if (isFine || (await isStillThere(deps, pack))) yield verified;
      await nextTurn();
    }
    if (page.length < packsPerPage) return;
  }
}

async function isStillThere(deps: VerifyPacksDeps, pack: PackState): Promise<boolean> {
  const [now] = await deps.metadata.call("listPacks", { after: pack.number - 1, limit: 1 });
  return now?.number === pack.number && now.state !== "deleted";
}

async function verifyPack(
  deps: VerifyPacksDeps,
  pack: PackState,
  { readData }: { readData: boolean },
  signal: AbortSignal,
): Promise<VerifiedPack> {
  const bad = (problem: string): VerifiedPack => ({ pack, problem, index: noneWrong });
  try {
    const { bytes } = await deps.objects.stat(packKey(pack.id), { signal });
    if (bytes !== pack.bytes) return bad(`is ${bytes} bytes long instead of ${pack.bytes}`);
    // One that is marked as lost is trusted again only when every byte is there.
    const isWhole = readData || pack.state === "lost";
    const rows = await (isWhole ? verifyWhole : readFooter)(deps, pack, signal);
    return { pack, problem: undefined, index: await checkIndex(deps, pack, rows) };
  } catch (error) {
    if (isCoded(error, "not_found")) return bad("is missing");
    if (isCoded(error, "data_loss")) return bad(`is damaged: ${codedErrorFrom(error).message}`);
    throw error;
  }
}

async function checkIndex(
  { metadata }: VerifyPacksDeps,
  pack: PackState,
  rows: readonly ChunkRow[],
): Promise<IndexCheck> {
  if (pack.indexed === 0 || pack.state !== "live") return noneWrong;
  const sum = { misplaced: 0, unknown: 0 };
  for (let at = 0; at < rows.length; at += rowsPerCall) {
    const some = { pack: pack.id, rows: rows.slice(at, at + rowsPerCall) };
    const { misplaced, unknown } = await metadata.call("checkLocations", some);
    sum.misplaced += misplaced;
    sum.unknown += unknown;
  }
  return sum;
}

/** Has the index lead to the chunks of a pack again. */
export async function reindexPack(
  deps: VerifyPacksDeps,
  pack: PackState,
  signal: AbortSignal,
): Promise<void> {
  const rows = await readFooter(deps, pack, signal);
  for (let at = 0; at < rows.length; at += rowsPerCall)
    await deps.metadata.call("reindexPack", {
      pack: pack.id,
      rows: rows.slice(at, at + rowsPerCall),
    });
}

async function readFooter(
  { objects }: VerifyPacksDeps,
  pack: PackState,
  signal: AbortSignal,
): Promise<ChunkRow[]> {
  return await readFooterOf(objects, pack, signal);
}

async function verifyWhole(
  { objects, compute }: VerifyPacksDeps,
  pack: PackState,
  signal: AbortSignal,
): Promise<ChunkRow[]> {
  const range = { start: 0, length: pack.bytes };
  const whole = await objects.read(packKey(pack.id), range, { signal });
  const { rows } = decodePack(pack.id, whole);
  let frame: { offset: number; plain: Buffer } | undefined;
  for (const row of rows) {
    signal.throwIfAborted();
    if (frame?.offset !== row.frameOffset) {
      // A copy: the buffer goes to another thread.
      const stored = Buffer.from(whole.subarray(row.frameOffset, row.frameOffset + row.frameBytes));
      frame = { offset: row.frameOffset, plain: await compute.decode(stored) };
    }
    const chunk = frame.plain.subarray(row.offset, row.offset + row.bytes);
    if (!sha256(chunk).equals(row.hash)) throw damagedChunk(row.hash);
    // Hashing keeps the thread: others get their turn after each chunk.
    await nextTurn();
  }
  return rows;
}

function damagedChunk(hash: Buffer): CodedError {
  return new CodedError("data_loss", `chunk ${hash.toString("hex")} is not what its hash says`);
}
