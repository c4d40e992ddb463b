import { isCoded } from "../../base/errors.ts";
import { markRefs } from "./mark-refs.ts";
import { refsOf, type Marks, type MarksDeps } from "./marks.ts";
import { Visited } from "./visited.ts";

/** Chunks remembered as counted: 64 MiB at most; one that is forgotten may be counted twice. */
const countedMax = 2 ** 20;

/** Plain bytes of content that deleted repos held and nothing else does, by repo, largest first. */
export async function weighTrash(
  marks: Marks,
  deps: MarksDeps,
): Promise<{ repo: string; bytes: number }[]> {
  const bytesOf = new Map<string, number>();
  const counted = new Visited(countedMax);
  for await (const { repo, ...refs } of refsOf("trash", deps)) {
    const weigh = {
      node: (address: Buffer) => !marks.has(address) && counted.add(address),
      piece: (hash: Buffer, bytes: number) => {
        if (!marks.has(hash) && counted.add(hash))
          bytesOf.set(repo, (bytesOf.get(repo) ?? 0) + bytes);
      },
    };
    if (!bytesOf.has(repo)) bytesOf.set(repo, 0);
    await markRefs(refs, deps.nodes, weigh, deps.signal).catch((error: unknown) => {
      // Collected by a run that was interrupted before it had emptied the trash.
      if (!isCoded(error, "data_loss")) throw error;
    });
  }
  return [...bytesOf]
    .map(([repo, bytes]) => ({ repo, bytes }))
    .toSorted((a, b) => b.bytes - a.bytes || (a.repo < b.repo ? -1 : 1));
}
