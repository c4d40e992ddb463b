import { CodedError } from "../../base/errors.ts";

/** What is to happen so that a folder of a commit is like one of this machine. Paths are below both. */
export interface SyncPlan {
  /** Not there yet. */
  readonly added: readonly string[];
  /** There with another content. */
  readonly replaced: readonly string[];
  /** There and not here: files, and whole directories. */
  readonly deleted: readonly string[];
  /** How many files `deleted` stands for. */
  readonly deletedFiles: number;
  readonly unchanged: number;
}

export interface Sides {
  /** Files here: true for those that are the same there, asked only of those that are there. */
  readonly local: ReadonlyMap<string, boolean>;
  /** Paths of the files there. */
  readonly remote: ReadonlySet<string>;
  /** Whether what is there and not here goes. */
  readonly deletes: boolean;
}

/**
 * Compares two folders.
 *
 * @throws CodedError `failed_precondition` when a file is in the place of a directory, and may not be deleted
 */
export function planSync({ local, remote, deletes }: Sides): SyncPlan {
  const folders = new Set([...local.keys()].flatMap(foldersOf));
  const gone = [...remote].filter((path) => !local.has(path));
  if (!deletes) refuseInTheWay(gone, { local, folders });
  const added: string[] = [];
  const replaced: string[] = [];
  for (const [path, isSame] of local) {
    if (!remote.has(path)) added.push(path);
    else if (!isSame) replaced.push(path);
  }
  return {
    added,
    replaced,
    deleted: deletes ? highest(gone, folders) : [],
    deletedFiles: deletes ? gone.length : 0,
    unchanged: local.size - added.length - replaced.length,
  };
}

/** The directories that a path is in, without the root. */
function foldersOf(path: string): string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, i) => parts.slice(0, i + 1).join("/"));
}

/** Directories of which nothing is left stand for the files in them. */
function highest(gone: readonly string[], kept: ReadonlySet<string>): string[] {
  const paths = gone.map((path) => foldersOf(path).find((folder) => !kept.has(folder)) ?? path);
  return [...new Set(paths)];
}

function refuseInTheWay(
  gone: readonly string[],
  { local, folders }: { local: ReadonlyMap<string, boolean>; folders: ReadonlySet<string> },
): void {
  const path = gone.find((one) => folders.has(one) || foldersOf(one).some((dir) => local.has(dir)));
  if (path === undefined) return;
  const what = folders.has(path) ? "a file where a directory is to be" : "in the place of a file";
  throw new CodedError(
    "failed_precondition",
    `Cannot synchronise: ${path} is ${what}. Add --delete to delete what the source does not have`,
  );
}
