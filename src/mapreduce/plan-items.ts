import { CodedError } from "../base/errors.ts";
import { pfsUriText, readPfsUri } from "../model/pfs-uri.ts";
import { filePartsOf, type PfsDeps } from "../pfs/index.ts";
import type { PlannedSplit, SplitInput } from "./plan-splits.ts";

/**
 * A split for each text, as it is. One that names files of an input, `pfs://repo/commit/path`, becomes a split for each
 * of them, at the very commit: a directory stands for all below it, a pattern for what it matches.
 *
 * @throws CodedError `not_found` for files of an input that are not there; `failed_precondition` for more splits than
 *   `splitsMax`
 */
export async function planItems(
  pfs: PfsDeps,
  request: { items: readonly string[]; inputs: readonly SplitInput[]; splitsMax: number },
  signal: AbortSignal,
): Promise<PlannedSplit[]> {
  const { items, inputs, splitsMax } = request;
  const found: string[] = [];
  const add = (text: string): void => {
    if (found.length === splitsMax)
      throw new CodedError(
        "failed_precondition",
        `it has more than ${splitsMax} inputs, too many for a task each. Give fewer, or patterns that match fewer files`,
      );
    found.push(text);
  };
  for (const item of items) {
    const uri = readPfsUri(item);
    const input = inputs.find(({ repo }) => repo === uri?.repo);
    if (uri === undefined || input === undefined) {
      add(item);
      continue;
    }
    const { repo, uid, commitId: commit } = input;
    const before = found.length;
    const files = filePartsOf(pfs, { uid, pattern: uri.path }, () => false, signal);
    for await (const { path } of files) add(pfsUriText({ repo, commit, path }));
    if (found.length === before)
      throw new CodedError(
        "not_found",
        `nothing matches ${item}: "pachctl list-file" shows what is there`,
        { details: { repo, path: uri.path } },
      );
  }
  return found.map((item) => ({ split: { parts: [], item }, digest: "" }));
}
