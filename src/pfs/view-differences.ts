import { pathOfKey, topOf, type FilePath } from "../model/paths.ts";
import { diff, type Difference, type NodeSource } from "../storage/index.ts";
import { hashedBlocks, pathShardHash } from "./block-shards.ts";
import { fileShardHash } from "./file-shards.ts";
import type { PfsDeps } from "./pfs-deps.ts";
import { openView, type View } from "./view.ts";

/** Two commits, by uid, all of which is looked at. */
export interface ComparedCommits {
  readonly before: string;
  readonly now: string;
}

/**
 * The top-level entries in which two commits differ, by name, and whether the later one has each. The cost
 * follows the difference.
 */
export async function changedEntries(
  deps: PfsDeps,
  commits: ComparedCommits,
  signal: AbortSignal,
): Promise<{ name: string; isThere: boolean }[]> {
  const views = await openBoth(deps, commits);
  const changed: { name: string; isThere: boolean }[] = [];
  for await (const { key } of differences(views)) {
    signal.throwIfAborted();
    const name = topOf(pathOfKey(key));
    if (changed.at(-1)?.name === name) continue;
    changed.push({ name, isThere: (await views.now.find(name as FilePath)) !== undefined });
  }
  return changed;
}

/** Which shards of `modulus` do not show the same of two commits, or may not. */
export async function changedShards(
  deps: PfsDeps,
  { by, modulus, ...commits }: ComparedCommits & { by: "FILE" | "BLOCK"; modulus: number },
  signal: AbortSignal,
): Promise<ReadonlySet<number>> {
  const views = await openBoth(deps, commits);
  const changed = new Set<number>();
  for await (const { key, before, after } of differences(views)) {
    signal.throwIfAborted();
    if (changed.size === modulus) break;
    const path = pathOfKey(key);
    if (by === "FILE") changed.add(fileShardHash(path) % modulus);
    // Every block shard shows every directory.
    else if (before?.type === "dir" || after?.type === "dir") return everyShard(modulus);
    else
      for (const [entry, { nodes }] of [
        [before, views.before],
        [after, views.now],
      ] as const) {
        if (entry === undefined) continue;
        const blocks = await hashedBlocks(deps, { path, entry, nodes }, signal);
        if (blocks.length === 0) changed.add(pathShardHash(path) % modulus);
        for (const { shardHash } of blocks) changed.add(shardHash % modulus);
      }
  }
  return changed;
}

function everyShard(modulus: number): ReadonlySet<number> {
  return new Set(Array.from({ length: modulus }, (_, shard) => shard));
}

interface Views {
  readonly before: Pick<View, "tree" | "nodes">;
  readonly now: View;
}

async function openBoth(deps: PfsDeps, { before, now }: ComparedCommits): Promise<Views> {
  return {
    before: await openView(deps, { uid: before }),
    now: await openView(deps, { uid: now }),
  };
}

function differences({ before, now }: Views): AsyncGenerator<Difference, void, void> {
  const sourceOfB: NodeSource = now.nodes;
  return diff(before.tree, now.tree, before.nodes, { sourceOfB });
}
