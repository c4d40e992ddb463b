import { isCoded } from "../base/errors.ts";
import { sha256 } from "../base/hash.ts";
import type { InlineChunk } from "../metadata/index.ts";
import { decompress } from "./compute-work.ts";

/** The plain bytes of a chunk kept in the metadata; undefined when they are not what its hash says. */
export function wholeInline({
  hash,
  data,
  codec,
  bytes,
}: Omit<InlineChunk, "class">): Buffer | undefined {
  try {
    const plain = decompress(Buffer.from(data), codec, bytes);
    return sha256(plain).equals(hash) ? plain : undefined;
  } catch (error) {
    if (isCoded(error, "data_loss")) return undefined;
    throw error;
  }
}
