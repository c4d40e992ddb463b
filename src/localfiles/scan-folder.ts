import { lstatSync, readdirSync, statSync, type Dirent, type Stats } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { CodedError } from "../base/errors.ts";
import { explainLocal } from "../base/local-error.ts";

/** A file below a folder, as it was looked at. */
export interface ScannedFile {
  /** Relative to the folder. */
  readonly below: string;
  readonly local: string;
  readonly sizeBytes: number;
  /** Another one when its bytes may be others, unless they changed at the same tick of the clock. */
  readonly stamp: string;
  /** When it was changed last, its contents or its facts, in milliseconds since 1970. */
  readonly changedMs: number;
}

/**
 * All files below a folder, by name, those side by side together; links to files count as files. Waits for the
 * disk at each, which costs a third of asking without waiting: not for programs that serve others meanwhile.
 *
 * @throws CodedError for what cannot be stored as a file, rather than leaving it out silently
 */
export async function* scanFolder(
  folder: string,
  below = "",
): AsyncGenerator<readonly ScannedFile[], void, void> {
  let files: ScannedFile[] = [];
  for (const entry of entriesOf(folder)) {
    const local = `${folder}/${entry.name}`;
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.name.includes("\uFFFD"))
      throw new CodedError(
        "invalid_argument",
        `Cannot put ${local}: its name is not UTF-8. Rename it`,
      );
    if (!entry.isDirectory()) {
      files.push(fileOf(entry, local, path));
      continue;
    }
    if (files.length > 0) yield files;
    files = [];
    yield* scanFolder(local, path);
  }
  if (files.length > 0) yield files;
  // For an interrupt, which is an event.
  await nextTurn();
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).toSorted((a, b) =>
      a.name < b.name ? -1 : 1,
    );
  } catch (error) {
    throw explainLocal(error, folder);
  }
}

function fileOf(entry: Dirent, local: string, below: string): ScannedFile {
  let stat: Stats;
  try {
    stat = entry.isFile() ? lstatSync(local) : statSync(local);
  } catch (error) {
    throw explainLocal(error, local);
  }
  if (!stat.isFile()) {
    const what = stat.isDirectory()
      ? "a symbolic link to a directory"
      : "neither a file nor a directory";
    throw new CodedError(
      "invalid_argument",
      `Cannot put ${local}: it is ${what}. Put it by itself, or move it out of the directory`,
    );
  }
  const { size, mtimeMs, ctimeMs, ino } = stat;
  const stamp = `${size} ${mtimeMs} ${ctimeMs} ${ino}`;
  return { below, local, sizeBytes: size, stamp, changedMs: Math.max(mtimeMs, ctimeMs) };
}
