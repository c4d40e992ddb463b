import { requireOpen, type CommitName } from "../model/commit.ts";
import { pathOfKey } from "../model/paths.ts";
import type { MetadataStore } from "../metadata/index.ts";
import type { Storage } from "../storage/index.ts";
import { runEntries } from "./run-entries.ts";

/** Paths that one answer has at most. */
const pathsMax = 10_000;
/** Writes that are looked through for one answer. */
const writesMax = 10_000;

/** What was written to an open commit since a moment. */
export interface WrittenPaths {
  /** In the order of the writes; one may come twice, and the directories above it may come too. */
  readonly paths: string[];
  /** How many writes there have been: from here on the next question goes on. */
  readonly next: number;
  /** There were more than are told: what is there now can only be listed. */
  readonly isCut: boolean;
}

/**
 * Tells whoever knows what an open commit had at a moment what to look at again.
 *
 * @param request.after `next` of an answer before; without it, only where to go on is told
 * @throws CodedError `failed_precondition` when the commit has ended
 */
export async function writtenPaths(
  deps: { metadata: MetadataStore; storage: Storage },
  request: { readonly commit: CommitName; readonly after?: number },
): Promise<WrittenPaths> {
  const { info, nextSeq: next } = await deps.metadata.call("findCommit", request.commit);
  requireOpen(info);
  const { after: fromSeq } = request;
  const paths: string[] = [];
  if (fromSeq === undefined || fromSeq >= next) return { paths, next, isCut: false };
  if (next - fromSeq > writesMax) return { paths, next, isCut: true };
  for (const run of await deps.metadata.call("listRuns", { uid: info.uid, fromSeq })) {
    if (run.seq >= next) break;
    for await (const { key } of runEntries(run, deps.storage.nodes)) {
      if (key.length === 0) continue;
      if (paths.length === pathsMax) return { paths: [], next, isCut: true };
      paths.push(pathOfKey(key));
    }
  }
  return { paths, next, isCut: false };
}
