import { codedErrorFrom, isCoded } from "../../base/errors.ts";
import { sha256 } from "../../base/hash.ts";
import { nextTurn } from "../../base/next-turn.ts";
import type { ChunkRow, IndexCheck, MetadataStore, PackState } from "../../metadata/index.ts";
import type { ObjectStore } from "../../objectstore/index.ts";
import { readFooter as readFooterOf } from "../chunk-index.ts";
import type { Compute } from "../compute.ts";
import { decodeFooter, isPackHeader, openFrame, packKey } from "../pack-format.ts";
import type { LostChunks } from "./bad-chunks.ts";

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
  /** Chunks that cannot be read, of one that has a problem. */
  readonly lost: LostChunks;
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
  const bad = (problem: string, lost: LostChunks = "all"): VerifiedPack => ({
    pack,
    problem,
    lost,
    index: noneWrong,
  });
  try {
    const { bytes } = await deps.objects.stat(packKey(pack.id), { signal });
    if (bytes !== pack.bytes) return bad(`is ${bytes} bytes long instead of ${pack.bytes}`);
    // One that is marked as lost is trusted again only when every byte is there.
    const isReadWhole = readData || pack.state === "lost";
    const { rows, problem, lost } = isReadWhole
      ? await verifyWhole(deps, pack, signal)
      : { rows: await readFooter(deps, pack, signal), ...noDamage };
    if (problem !== undefined) return bad(damageText(problem, lost.length, rows.length), lost);
    return { pack, problem, lost, index: await checkIndex(deps, pack, rows) };
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

/** The first problem that was found, and all chunks that cannot be read. */
interface Damage {
  readonly problem: string | undefined;
  readonly lost: readonly Buffer[];
}

const noDamage: Damage = { problem: undefined, lost: [] };

/** Goes on behind what is damaged: other chunks may be whole. */
async function verifyWhole(
  { objects, compute }: VerifyPacksDeps,
  pack: PackState,
  signal: AbortSignal,
): Promise<Damage & { rows: ChunkRow[] }> {
  const range = { start: 0, length: pack.bytes };
  const whole = await objects.read(packKey(pack.id), range, { signal });
  const rows = decodeFooter(whole, pack);
  let problem = isPackHeader(whole) ? undefined : "it does not start like a pack";
  const lost: Buffer[] = [];
  for (const frame of framesOf(rows)) {
    signal.throwIfAborted();
    const damage = await verifyFrame(frame, whole, compute);
    problem ??= damage.problem;
    for (const hash of damage.lost) lost.push(hash);
  }
  return { rows, problem, lost };
}

/** Chunks that share a frame follow one another. */
function* framesOf(rows: readonly ChunkRow[]): Generator<readonly ChunkRow[], void, void> {
  let start = 0;
  for (let end = 1; end <= rows.length; end++) {
    if (rows[end]?.frameOffset === rows[start]!.frameOffset) continue;
    yield rows.slice(start, end);
    start = end;
  }
}

async function verifyFrame(
  rows: readonly ChunkRow[],
  pack: Buffer,
  compute: Compute,
): Promise<Damage> {
  const [{ frameOffset, frameBytes }, last] = [rows[0]!, rows.at(-1)!];
  const stored = pack.subarray(frameOffset, frameOffset + frameBytes);
  try {
    const { header } = openFrame(stored);
    // A copy: the buffer goes to another thread.
    const plain = await compute.decode(Buffer.from(stored));
    const isAsListed =
      header.chunks === rows.length && header.plainBytes === last.offset + last.bytes;
    let problem = isAsListed ? undefined : "a frame contradicts the footer";
    const lost: Buffer[] = [];
    for (const { hash, offset, bytes } of rows) {
      // Hashing keeps the thread: others get their turn after each chunk.
      await nextTurn();
      if (sha256(plain.subarray(offset, offset + bytes)).equals(hash)) continue;
      problem ??= `chunk ${hash.toString("hex")} is not what its hash says`;
      lost.push(hash);
    }
    return { problem, lost };
  } catch (error) {
    if (!isCoded(error, "data_loss")) throw error;
    return { problem: codedErrorFrom(error).message, lost: rows.map(({ hash }) => hash) };
  }
}

function damageText(problem: string, lost: number, chunks: number): string {
  return `is damaged: ${problem}. ${lost} of its ${chunks} chunks cannot be read`;
}
