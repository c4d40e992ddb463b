import type { Catalog } from "./catalog.ts";
import { isFile, isFolder, pathOf, type Node } from "./node.ts";

/** What can be asked of a file or directory of a commit, as extended attributes. */
export async function extendedOf(
  node: Node,
  catalog: Catalog,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  if (!isFile(node) && !isFolder(node)) return new Map();
  const { info, commit } = await node.what.tree.snapshot(signal);
  const values = new Map([
    ["user.pfs.commit", `${commit.repo}/${commit.id}`],
    ["user.pfs.provenance", info.provenance.map(({ repo, id }) => `${repo}/${id}`).join("\n")],
  ]);
  const isThere = node.what.type !== "top" && !(isFile(node) && node.what.draft !== undefined);
  if (isThere) {
    const { digest } = await catalog.inspect(commit, pathOf(node), signal);
    values.set("user.pfs.digest", digest);
  }
  return values;
}
