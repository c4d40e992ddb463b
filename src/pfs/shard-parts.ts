import { fileShardHash } from "./file-shards.ts";
import { hashedBlocks, pathShardHash } from "./block-shards.ts";
import type { PfsDeps } from "./pfs-deps.ts";
import { openView, type ViewSpec } from "./view.ts";

/** What shards never split: a top-level entry's file, or a block. The hash decides the shard. */
export interface ShardPart {
  readonly hash: number;
  readonly bytes: number;
}

/** All parts of what a view shows, by top-level entry or by block. */
export async function shardPartsOf(
  deps: PfsDeps,
  spec: ViewSpec,
  by: "FILE" | "BLOCK",
  signal: AbortSignal,
): Promise<ShardPart[]> {
  const view = await openView(deps, spec);
  const parts: ShardPart[] = [];
  for await (const file of view.below("")) {
    signal.throwIfAborted();
    if (file.entry.type === "dir") continue;
    if (by === "FILE") {
      parts.push({ hash: fileShardHash(file.path), bytes: file.bytes });
      continue;
    }
    const blocks = await hashedBlocks(
      deps,
      {
        path: file.path,
        entry: file.entry,
        nodes: view.nodes,
      },
      signal,
    );
    if (blocks.length === 0) parts.push({ hash: pathShardHash(file.path), bytes: 0 });
    for (const block of blocks)
      parts.push({ hash: block.shardHash, bytes: block.end - block.start });
  }
  return parts;
}
