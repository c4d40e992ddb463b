import { nextTurn } from "../../base/next-turn.ts";
import type { MetadataStore } from "../../metadata/index.ts";
import { wholeInline } from "../inline-chunk.ts";

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
    for (const chunk of page) {
      if (wholeInline(chunk) === undefined) bad.push(chunk.hash);
      after = chunk.hash;
    }
    if (page.length < chunksPerPage) return bad;
    await nextTurn();
  }
}
