import { removeTree } from "../../base/remove-tree.ts";
import type { DockerFs } from "./host-mounts.ts";

/**
 * What a container's runs leave in it, seen from the host through its first process. A container
 * whose files are as they were before serves another run; `/tmp` is emptied first.
 */
export class Traces {
  private readonly fs: DockerFs;
  /** The container's root as the host reaches it. */
  private readonly root: string;
  /** Where the container's own changes to its image are on the host. */
  private readonly upper: string;
  private before: ReadonlyMap<string, string> = new Map();
  private tmpBefore: ReadonlySet<string> = new Set();

  private constructor(fs: DockerFs, root: string, upper: string) {
    this.fs = fs;
    this.root = root;
    this.upper = upper;
  }

  /** Undefined when it cannot be seen what runs of this container leave. */
  static async open(fs: DockerFs, pid: number): Promise<Traces | undefined> {
    const mounts = await mountsOf(fs, pid);
    const upper = upperDirOf(mounts);
    const isStrange = mounts.some(({ path, writable }) => writable && !isWatched(path));
    if (upper === undefined || isStrange) return undefined;
    const traces = new Traces(fs, `/proc/${pid}/root`, upper);
    traces.tmpBefore = new Set(await fs.readdir(`${traces.root}/tmp`).catch(() => []));
    const before = new Map<string, string>();
    for (const { path, stamp } of await traces.stamps()) before.set(path, stamp);
    traces.before = before;
    return traces;
  }

  /** Empties `/tmp` of what was put there; true when nothing else has changed. Nothing may run meanwhile. */
  async clean(): Promise<boolean> {
    const tmp = `${this.root}/tmp`;
    const info = await this.fs.lstat(tmp).catch(() => undefined);
    if (info?.isDirectory() === true) {
      for (const name of await this.fs.readdir(tmp))
        if (!this.tmpBefore.has(name)) await removeTree(this.fs, `${tmp}/${name}`);
    }
    return (await this.stamps()).every(({ path, stamp }) => this.before.get(path) === stamp);
  }

  /** What there is to compare, with what changes when somebody changes it. */
  private async stamps(): Promise<Stamp[]> {
    const { fs, root } = this;
    const listed = async (place: string): Promise<Stamp> => {
      const names = await fs.readdir(root + place).catch(() => []);
      return { path: place, stamp: names.toSorted((a, b) => (a < b ? -1 : 1)).join("/") };
    };
    const groups = await Promise.all([
      this.stampsBelow(this.upper),
      Promise.all(ownedByDocker.map(async (path) => await this.stampOf(root + path))),
      Promise.all(["/dev", "/dev/shm", "/dev/mqueue"].map(listed)),
    ]);
    return groups.flat();
  }

  /** At most so many entries of a directory are looked at: one that is new is enough. */
  private async stampsBelow(directory: string): Promise<Stamp[]> {
    const entries = await this.fs.readdir(directory, { withFileTypes: true });
    const found = await Promise.all(
      entries.slice(0, entriesMax).map(async (entry): Promise<Stamp[]> => {
        const path = `${directory}/${entry.name}`;
        if (directory === this.upper && entry.name === "tmp") return await this.stampOfTmp(path);
        const own = await this.stampOf(path);
        const isNew = this.before.size > 0 && !this.before.has(path);
        return entry.isDirectory() && !isNew ? [own, ...(await this.stampsBelow(path))] : [own];
      }),
    );
    return found.flat();
  }

  /** It appears there as soon as something is made in it, and stays. */
  private async stampOfTmp(path: string): Promise<Stamp[]> {
    const { mode, uid, gid } = await this.fs.lstat(path);
    const names = await this.fs.readdir(path).catch(() => ["not a directory"]);
    const isFine = names.length === 0 && (mode & 0o7777) === 0o1777 && uid === 0 && gid === 0;
    return isFine ? [] : [{ path, stamp: "changed" }];
  }

  private async stampOf(path: string): Promise<Stamp> {
    const info = await this.fs.lstat(path, { bigint: true }).catch(() => undefined);
    return { path, stamp: info === undefined ? "none" : `${info.ino} ${info.ctimeNs}` };
  }
}

const entriesMax = 1_000;

interface Stamp {
  readonly path: string;
  readonly stamp: string;
}

/** A mount as a process sees it. */
interface SeenMount {
  readonly path: string;
  /** Which directory of its file system it shows. */
  readonly shows: string;
  readonly writable: boolean;
  readonly type: string;
  readonly options: string;
}

/** The mounts of a process; none when it is not there. */
export async function mountsOf(fs: DockerFs, pid: number): Promise<SeenMount[]> {
  const text = await fs.readFile(`/proc/${pid}/mountinfo`, "utf8").catch(() => "");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [before = "", after = ""] = line.split(" - ");
      const [, , , shows = "", path = "", options = ""] = before.split(" ");
      const [type = "", , superOptions = ""] = after.split(" ");
      const writable = options.split(",").includes("rw") && superOptions.split(",").includes("rw");
      return { path, shows, writable, type, options: superOptions };
    });
}

function upperDirOf(mounts: readonly SeenMount[]): string | undefined {
  const root = mounts.find(({ path, type }) => path === "/" && type === "overlay");
  return /(?:^|,)upperdir=(\/[^,]*)/.exec(root?.options ?? "")?.[1];
}

const watched = ["/", "/dev", "/dev/shm", "/dev/mqueue", "/dev/pts"];
const ownedByDocker = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];

function isWatched(path: string): boolean {
  return (
    watched.includes(path) || ownedByDocker.includes(path) || /^\/(proc|sys|pfs)(\/|$)/.test(path)
  );
}
