import { isCoded } from "../../base/errors.ts";
import { sha256 } from "../../base/hash.ts";
import { nextTurn } from "../../base/next-turn.ts";
import type { MetadataStore } from "../../metadata/index.ts";
import { decompress } from "../compute-work.ts";

/** Rows asked for at a time: one may hold 256 KiB. */
const chunksPerPage = 64;

/** Hashes of the chunks kept in the metadata that are not what their hash says. */
export async function verifyInline(
  metadata: Pick<MetadataStore, "call">,
  signal: AbortSignal,
): Promise<Buffer[]> {
  const bad: Buffer[] = [];
  for (let after: Buffer = Buffer.alloc(0); ;) {
    signal.throwIfAborted();
    const page = await metadata.call("listInline", { after, limit: chunksPerPage });
    for (const { hash, data, codec, bytes } of page) {
      if (!isWhole(hash, Buffer.from(data), codec, bytes)) bad.push(hash);
      after = hash;
    }
    if (page.length < chunksPerPage) return bad;
    await nextTurn();
  }
}

function isWhole(hash: Buffer, data: Buffer, codec: number, bytes: number): boolean {
  try {
    return sha256(decompress(data, codec, bytes)).equals(hash);
  } catch (error) {
    if (isCoded(error, "data_loss")) return false;
    throw error;
  }
}
