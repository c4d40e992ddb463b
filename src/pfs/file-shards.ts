import { adler32 } from "../base/hash.ts";
import { topOf, type FilePath } from "../model/paths.ts";
import type { Shard } from "../model/shard.ts";

/** Whether a path belongs to a file shard: all below one top-level entry go together (contract 2.11). */
export function isInFileShard(path: FilePath, shard: Shard): boolean {
  return shard.fileModulus <= 1 || fileShardHash(path) % shard.fileModulus === shard.fileNumber;
}

/** Adler-32 of the first component: its remainder by the modulus is the shard. */
export function fileShardHash(path: FilePath): number {
  return adler32(Buffer.from(topOf(path)));
}
