import { CodedError } from "../base/errors.ts";
import { shownUrl } from "../base/shown-url.ts";
import type { Body } from "../client/index.ts";
import { scanFolder } from "../localfiles/index.ts";
import { joinPath, parseEntryPath, parsePath, type FilePath } from "../model/paths.ts";
import type { Context } from "./context.ts";
import { kindOf, readLocal } from "./local-files.ts";
import type { Progress, Totals } from "./progress.ts";
import { isUrl } from "./read-text.ts";

/** Something to put, and the path it gets; a directory's files go below the path. */
export type PutSource = { readonly path: FilePath } & (
  | { readonly kind: "url"; readonly url: string; readonly recursive: boolean }
  | {
      readonly kind: "file";
      readonly local: string;
      readonly sizeBytes: number;
      readonly version: string;
    }
  | { readonly kind: "pipe"; readonly local: string }
  | { readonly kind: "directory"; readonly local: string }
);

export interface Placement {
  /** The PATH argument. */
  readonly path: string | undefined;
  /** Whether directories are taken. */
  readonly recursive: boolean;
}

type Unplaced = PutSource extends infer S
  ? S extends { path: FilePath }
    ? Omit<S, "path">
    : never
  : never;

/** What one -f names: commas separate several, but a file or URL that has commas itself is one. */
export async function listOf(typed: string, { deps }: Context): Promise<string[]> {
  if (!typed.includes(",")) return [typed];
  if (isUrl(typed)) return typed.split(/,(?=[a-z][a-z0-9+.-]*:\/\/)/i);
  const isOne = await deps.fileSystem.access(typed).then(
    () => true,
    () => false,
  );
  return isOne ? [typed] : typed.split(",").filter((part) => part !== "");
}

/**
 * Finds out what each FILE, URL or `-` is and which path it gets: one source takes PATH as its own
 * path, several go below it; without PATH each is stored under its name as typed.
 *
 * @throws CodedError when a source cannot be read or has no path inside the repo
 */
export async function placeSources(
  typed: readonly string[],
  placement: Placement,
  context: Context,
): Promise<PutSource[]> {
  const placed: PutSource[] = [];
  for (const source of typed) {
    const what = await identify(source, placement.recursive, context);
    placed.push({
      ...what,
      path: placeOne(source, what, { ...placement, isOnly: typed.length === 1 }),
    });
  }
  return placed;
}

async function identify(source: string, recursive: boolean, { deps }: Context): Promise<Unplaced> {
  if (source === "-") return { kind: "pipe", local: source };
  if (isUrl(source)) {
    const isKnown = /^(https?|s3):\/\//i.test(source) && URL.canParse(source);
    const isPrefix = recursive && /^s3:/i.test(source);
    if (isKnown) return { kind: "url", url: source, recursive: isPrefix };
    throw new CodedError(
      "invalid_argument",
      `Cannot put ${shownUrl(source)}: only http, https and s3 URLs can be fetched`,
    );
  }
  const found = await kindOf(deps.fileSystem, source);
  if (found.kind === "directory" && !recursive) {
    throw new CodedError(
      "invalid_argument",
      `Cannot put ${source}: it is a directory. Add -r to put everything below it`,
    );
  }
  return { local: source, ...found };
}

function placeOne(
  source: string,
  what: Unplaced,
  { path, isOnly }: Placement & { isOnly: boolean },
): FilePath {
  // Each object has a name of its own: its key.
  if (what.kind === "url" && what.recursive) return parsePath(path ?? "");
  if (path !== undefined && isOnly)
    return what.kind === "directory" ? parsePath(path) : parseEntryPath(path);
  if (source === "-")
    throw new CodedError("usage", "either a path or the -f flag needs to be provided");
  const own = ownPath(source, what);
  return path === undefined ? own : joinPath(parsePath(path), own);
}

/** The path a source gets by its own name. */
function ownPath(source: string, what: Unplaced): FilePath {
  const name = what.kind === "url" ? urlPath(what.url) : source;
  try {
    return what.kind === "directory" ? parsePath(name) : parseEntryPath(name);
  } catch (error) {
    throw new CodedError(
      "invalid_argument",
      `Cannot store ${what.kind === "url" ? shownUrl(source) : source} under its own name: it is no path inside the repo. Put it alone and name its PATH`,
      { cause: error },
    );
  }
}

function urlPath(url: string): string {
  const { pathname } = new URL(url);
  try {
    return decodeURIComponent(pathname);
  } catch {
    return pathname;
  }
}

/** The bytes of one file, opened anew for each try. */
export function bodyOf(
  { local }: PutSource & { readonly kind: "file" },
  { deps }: Context,
  progress?: Progress,
): Body {
  const open = (): AsyncIterable<Uint8Array> => readLocal(deps.fileSystem, local);
  return progress?.counted(open) ?? open;
}

/** What can be read once: standard input, or what is no file. */
export function streamOf(
  { local }: PutSource & { readonly kind: "pipe" },
  context: Context,
  progress?: Progress,
): AsyncIterable<Uint8Array> {
  const open = (): AsyncIterable<Uint8Array> =>
    local === "-" ? context.stdin() : readLocal(context.deps.fileSystem, local);
  return (progress?.counted(open) ?? open)();
}

/** How much the sources are in all; undefined when that shows only while they are read. */
export async function totalsOf(
  sources: readonly PutSource[],
  { signal }: Context,
): Promise<Totals | undefined> {
  let files = 0;
  let bytes = 0;
  const add = (sizeBytes: number): void => {
    files++;
    bytes += sizeBytes;
  };
  for (const source of sources) {
    if (source.kind === "file") add(source.sizeBytes);
    else if (source.kind !== "directory") return undefined;
    else
      for await (const found of scanFolder(source.local)) {
        signal.throwIfAborted();
        for (const { sizeBytes } of found) add(sizeBytes);
      }
  }
  return { files, bytes };
}
