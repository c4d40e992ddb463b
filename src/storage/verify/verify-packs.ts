import { CodedError, codedErrorFrom, isCoded } from "../../base/errors.ts";
import { sha256 } from "../../base/hash.ts";
import { nextTurn } from "../../base/next-turn.ts";
import type { MetadataStore, PackState } from "../../metadata/index.ts";
import type { ObjectStore } from "../../objectstore/index.ts";
import { readFooter } from "../chunk-index.ts";
import type { Compute } from "../compute.ts";
import { decodePack, packKey } from "../pack-format.ts";

const packsPerPage = 200;

export interface VerifyPacksDeps {
  readonly objects: ObjectStore;
  readonly metadata: Pick<MetadataStore, "call">;
  readonly compute: Compute;
}

/** A recorded pack, and what is wrong with it. */
export interface VerifiedPack {
  readonly pack: PackState;
  readonly problem: string | undefined;
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
      const problem = await problemOf(deps, pack, { readData }, signal);
      // It may have been collected while we looked.
      if (problem !== undefined && !(await isStillThere(deps, pack))) continue;
      yield { pack, problem };
      await nextTurn();
    }
    if (page.length < packsPerPage) return;
  }
}

async function isStillThere(deps: VerifyPacksDeps, pack: PackState): Promise<boolean> {
  const [now] = await deps.metadata.call("listPacks", { after: pack.number - 1, limit: 1 });
  return now?.number === pack.number && now.state !== "deleted";
}

async function problemOf(
  deps: VerifyPacksDeps,
  pack: PackState,
  { readData }: { readData: boolean },
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const { bytes } = await deps.objects.stat(packKey(pack.id), { signal });
    if (bytes !== pack.bytes) return `is ${bytes} bytes long instead of ${pack.bytes}`;
    if (readData) await verifyWhole(deps, pack, signal);
    else await readFooter(deps.objects, pack, signal);
    return undefined;
  } catch (error) {
    if (isCoded(error, "not_found")) return "is missing";
    if (isCoded(error, "data_loss")) return `is damaged: ${codedErrorFrom(error).message}`;
    throw error;
  }
}

async function verifyWhole(
  { objects, compute }: VerifyPacksDeps,
  pack: PackState,
  signal: AbortSignal,
): Promise<void> {
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
}

function damagedChunk(hash: Buffer): CodedError {
  return new CodedError("data_loss", `chunk ${hash.toString("hex")} is not what its hash says`);
}
