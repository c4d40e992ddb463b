import type { Stats } from "node:fs";
import { CodedError } from "../base/errors.ts";
import type { WorkerFs } from "./worker-options.ts";

/** What stands at a path of an output, links not followed. */
type Info = Pick<
  Stats,
  "isDirectory" | "isFIFO" | "isFile" | "isSocket" | "isSymbolicLink" | "mode"
>;

/** An output as it is looked at. Paths are without leading slash, that of the top is empty. */
export interface OutputFs {
  /** How this machine names the top. */
  readonly top: string;
  /** Names in a directory, which a walk comes to as `shownAs`; those of which it is known that they did not change may be missing. */
  names(path: string, shownAs: string): Promise<readonly string[]>;
  lstat(path: string): Promise<Info>;
  readlink(path: string): Promise<string>;
  /** Default: all can be read as it is. */
  chmod?(path: string, mode: number): Promise<void>;
}

/** A directory of this machine. */
export function directoryFs(fs: WorkerFs, top: string): OutputFs {
  const at = (path: string): string => (path === "" ? top : `${top}/${path}`);
  return {
    top,
    names: async (path) => await fs.readdir(at(path)),
    lstat: async (path) => await fs.lstat(at(path)),
    readlink: async (path) => await fs.readlink(at(path)),
    chmod: async (path, mode) => await fs.chmod(at(path), mode),
  };
}

/** What stands at one path of an output, links followed. */
export interface FoundEntry {
  /** Without leading slash. */
  readonly path: string;
  readonly type: "file" | "dir";
  /** The path that links lead to. */
  readonly real: string;
  /** True when the path itself is a link. */
  readonly linked: boolean;
}

/** As the kernel does. */
const linksMax = 40;
/** What the kernel takes as one path, with room for a name. */
const hostPathBytesMax = 4_096 - 256;
const setIdBits = 0o6000;

/**
 * Everything in an output directory in path order, parents first. Links that stay inside stand for
 * what they point to; the command saw the directory as `/pfs/out`.
 *
 * @throws CodedError `invalid_argument` naming a path that cannot be stored
 */
export async function walkOutput(fs: OutputFs): Promise<FoundEntry[]> {
  const found: FoundEntry[] = [];
  /** `real` is where the directory is below `out`, `above` the real places on the way to it. */
  const walk = async (directory: string, real: string, above: readonly string[]): Promise<void> => {
    for (const name of (await fs.names(real, directory)).toSorted(byBytes)) {
      const path = directory === "" ? name : `${directory}/${name}`;
      if (name.includes("\uFFFD"))
        throw unstorable(path, "something whose name is not UTF-8: rename it");
      if (Buffer.byteLength(`${fs.top}/${real}/${name}`) > hostPathBytesMax)
        throw unstorable(path, "too deep: its whole path is longer than the system takes");
      const place = await resolve(fs, { real, name }, path);
      const entry = { path, real: place.real, linked: place.linked };
      if (place.info.isFile()) {
        if ((place.info.mode & setIdBits) !== 0)
          throw unstorable(path, "a program with another's rights: take them away with chmod ug-s");
        if ((place.info.mode & 0o400) === 0) await fs.chmod?.(entry.real, 0o600);
        found.push({ ...entry, type: "file" });
      } else if (place.info.isDirectory()) {
        if (above.includes(place.real) || place.real === real)
          throw unstorable(path, "a link to a directory it is in");
        if ((place.info.mode & 0o500) !== 0o500) await fs.chmod?.(entry.real, 0o700);
        found.push({ ...entry, type: "dir" });
        await walk(path, place.real, [...above, real]);
      } else {
        throw unstorable(path, `a ${kindOf(place.info)}; only files and directories can be stored`);
      }
    }
  };
  await walk("", "", []);
  return found;
}

/** Follows links by hand, the root being `/pfs/out` and never left. Paths are relative to `out`. */
async function resolve(
  fs: OutputFs,
  at: { readonly real: string; readonly name: string },
  shown: string,
): Promise<{ real: string; info: Info; linked: boolean }> {
  let done = at.real === "" ? [] : at.real.split("/");
  let todo = [at.name];
  let links = 0;
  let info = await fs.lstat("");
  for (let name = todo.shift(); name !== undefined; name = todo.shift()) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      if (done.pop() === undefined)
        throw unstorable(shown, "a link to a place outside /pfs/out: copy the file instead");
      continue;
    }
    const there = await fs.lstat([...done, name].join("/")).catch(() => undefined);
    if (there === undefined) throw unstorable(shown, "a link to something that does not exist");
    info = there;
    if (!there.isSymbolicLink()) {
      done.push(name);
      continue;
    }
    if (++links > linksMax) throw unstorable(shown, "a link that leads to itself");
    let target = await fs.readlink([...done, name].join("/"));
    if (target.startsWith("/")) {
      if (target !== "/pfs/out" && !target.startsWith("/pfs/out/")) {
        throw unstorable(shown, `a link to "${target}", outside /pfs/out: copy the file instead`);
      }
      target = target.slice("/pfs/out".length);
      done = [];
    }
    todo = [...target.split("/"), ...todo];
  }
  if (links > 0) info = await fs.lstat(done.join("/"));
  return { real: done.join("/"), info, linked: links > 0 };
}

function kindOf(info: Info): string {
  if (info.isSocket()) return "socket";
  if (info.isFIFO()) return "named pipe";
  return "device";
}

function unstorable(path: string, what: string): CodedError {
  return new CodedError(
    "invalid_argument",
    `Cannot store the output "/pfs/out/${shortened(path)}": it is ${what}`,
  );
}

const shownCharsMax = 300;

function shortened(path: string): string {
  return path.length <= shownCharsMax ? path : `${path.slice(0, shownCharsMax)}…`;
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
