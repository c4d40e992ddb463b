import type { OutputChange } from "../model/output-change.ts";
import { deletes } from "./collect-output.ts";
import { walkOutput, type FoundEntry } from "./output-walk.ts";
import type { WrittenOutput } from "./written-output.ts";

/**
 * What a command did to an output that it was shown through a mount, in the order of collectOutput(). Nothing is compared:
 * an inherited file was appended to when none of its old bytes was written over or cut off, and replaced when one was, also
 * by the same bytes. What did not change is not looked at.
 *
 * @throws CodedError `invalid_argument` naming a path that cannot be stored, before the first change
 */
export async function* collectWritten(
  written: WrittenOutput,
  signal: AbortSignal,
): AsyncGenerator<OutputChange> {
  const found = await walkOutput(written);
  const inherited = await inheritedAround(written, found);
  yield* deletes(found, inherited);
  for (const entry of found) {
    signal.throwIfAborted();
    const change = await changeOf(written, entry, inherited);
    if (change !== undefined) yield change;
  }
}

interface InheritedNames {
  readonly files: Set<string>;
  readonly directories: Set<string>;
}

/** What was inherited where something has changed. */
async function inheritedAround(
  written: WrittenOutput,
  found: readonly FoundEntry[],
): Promise<InheritedNames> {
  const inherited: InheritedNames = { files: new Set(), directories: new Set() };
  const add = async (path: string, real: string): Promise<void> => {
    for (const { path: below, type } of await written.inheritedIn(path, real))
      (type === "dir" ? inherited.directories : inherited.files).add(below);
  };
  await add("", "");
  for (const entry of found) {
    if (entry.type !== "dir") continue;
    const isKept = await isInPlace(written, entry);
    if (isKept || inherited.directories.has(entry.path)) await add(entry.path, entry.real);
  }
  return inherited;
}

/** Whether it is what was inherited at its path. */
async function isInPlace(
  written: WrittenOutput,
  { path, real, linked }: FoundEntry,
): Promise<boolean> {
  return !linked && (await written.originOf(real)) === path;
}

async function changeOf(
  written: WrittenOutput,
  entry: FoundEntry,
  inherited: InheritedNames,
): Promise<OutputChange | undefined> {
  const { path, type, real } = entry;
  const isKept = await isInPlace(written, entry);
  if (type === "dir")
    return isKept || inherited.directories.has(path) ? undefined : { kind: "mkdir", path };
  const file = await written.file(real);
  const kept = isKept ? file.change : undefined;
  if (kept === "none") return undefined;
  const isReplaced = kept === "replace" || (kept === undefined && inherited.files.has(path));
  const start = kept === "append" ? file.inheritedBytes : 0;
  return {
    kind: isReplaced ? "replace" : "append",
    path,
    bytes: file.bytes - start,
    content: () => file.read({ start, end: file.bytes }),
  };
}
