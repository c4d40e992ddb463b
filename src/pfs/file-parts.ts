import type { FilePath } from "../model/paths.ts";
import { blockRanges } from "./block-shards.ts";
import { filesMatching } from "./match-files.ts";
import type { PfsDeps } from "./pfs-deps.ts";
import { openView, type ByteRange } from "./view.ts";

/** A file, and where it may be divided. */
export interface FileParts {
  readonly path: FilePath;
  readonly bytes: number;
  /** Hex; equal for equal content. */
  readonly digest: string;
  /** Its blocks, which no record crosses; undefined when it is not to be divided. */
  readonly blocks: readonly ByteRange[] | undefined;
}

/**
 * The files of a commit that a pattern stands for, of a directory all below it, in the order of their names.
 *
 * @param isDivided which files the caller wants to know the blocks of
 */
export async function* filePartsOf(
  deps: PfsDeps,
  { uid, pattern }: { uid: string; pattern: string },
  isDivided: (file: { readonly path: FilePath; readonly bytes: number }) => boolean,
  signal: AbortSignal,
): AsyncGenerator<FileParts, void, void> {
  const view = await openView(deps, { uid });
  for await (const file of filesMatching(view, pattern, signal)) {
    const { path, bytes, entry } = file;
    const blocks = isDivided(file)
      ? await blockRanges({ path, entry, nodes: view.nodes })
      : undefined;
    yield { path, bytes, digest: view.digestOf(file), blocks };
  }
}
