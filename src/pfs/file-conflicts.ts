import { CodedError, isCoded } from "../base/errors.ts";
import { pathOfKey } from "../model/paths.ts";
import type { CommitDetail } from "../metadata/index.ts";
import type { Entry } from "../storage/index.ts";
import type { OpenRoots } from "./open-roots.ts";

/**
 * Refuses writes that would make one path both a file and a directory. The final word is spoken when
 * the commit finishes; this says it to the one who can still choose another name. Quick for entries in order of keys.
 *
 * @throws CodedError `failed_precondition` naming the path
 */
export async function refuseTypeConflicts(
  openRoots: OpenRoots,
  commit: CommitDetail | null,
  entries: Iterable<Entry>,
): Promise<void> {
  if (commit === null) return;
  const typeOf = await typesIfAny(openRoots, commit);
  if (typeOf === undefined) return;
  for (const entry of entries) {
    if (entry.clear || entry.type === "none") continue;
    const existing = await typeOf(entry.key);
    if (existing === undefined || existing === entry.type) continue;
    const path = pathOfKey(entry.key);
    const message =
      entry.type === "file"
        ? `file type conflict: /${path} is a directory, so no file can be put there. Choose another path, or delete the directory first`
        : `file type conflict: /${path} is a file, so nothing can be put below it. Choose another path, or delete the file first`;
    throw new CodedError("failed_precondition", message, {
      details: { path, classic: "file type conflict" },
    });
  }
}

/**
 * A commit whose own writes conflict, since its parent changed, has no root until one of them is deleted;
 * one that was to be the parent may have been taken back meanwhile, as its request failed.
 */
async function typesIfAny(
  openRoots: OpenRoots,
  commit: CommitDetail,
): Promise<Awaited<ReturnType<OpenRoots["typesIn"]>> | undefined> {
  try {
    return await openRoots.typesIn(commit);
  } catch (error) {
    if (isCoded(error, "failed_precondition") || isCoded(error, "not_found")) return undefined;
    throw error;
  }
}
