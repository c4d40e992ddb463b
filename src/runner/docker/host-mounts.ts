import { execFile } from "node:child_process";
import type * as nodeFs from "node:fs/promises";
import { promisify } from "node:util";
import { fstabLine, holderOf, parseMountInfo } from "../process/mount-table.ts";
import { findTool, standardPath } from "../process/tools.ts";

const exec = promisify(execFile);

/** The part of the file system that containers are prepared with. */
export type DockerFs = Pick<
  typeof nodeFs,
  | "chmod"
  | "lstat"
  | "mkdir"
  | "readFile"
  | "readdir"
  | "realpath"
  | "rename"
  | "rm"
  | "rmdir"
  | "stat"
  | "writeFile"
>;

/**
 * Mounts of the host that containers see come and go. Below `shared` they reach every container
 * that has a part of it as a slave. Needs root, and a Docker that has our mounts.
 */
export class HostMounts {
  readonly shared: string;
  private readonly fs: DockerFs;
  private readonly scratch: string;
  /** Read-only clones of the host's mounts, by their mount point. */
  private readonly readOnly = new Map<string, Promise<string>>();
  private tables = 0;

  private constructor(fs: DockerFs, scratch: string) {
    this.fs = fs;
    this.scratch = scratch;
    this.shared = `${scratch}/shared`;
  }

  /** `scratch` is a directory of this runner alone, without symbolic links on the way to it. */
  static async open(fs: DockerFs, scratch: string): Promise<HostMounts> {
    const mounts = new HostMounts(fs, scratch);
    await fs.mkdir(mounts.shared, { recursive: true });
    await run("mount", "-n", "--bind", scratch, scratch);
    await run("mount", "-n", "--make-private", scratch);
    await run("mount", "-n", "--bind", mounts.shared, mounts.shared);
    await run("mount", "-n", "--make-shared", mounts.shared);
    return mounts;
  }

  /** Mounts directories on empty ones below `shared`, all by one call. */
  async add(
    wanted: readonly { readonly from: string; readonly to: string; readonly writable: boolean }[],
  ): Promise<void> {
    const binds: [string, string][] = [];
    for (const { from, to, writable } of wanted)
      binds.push([writable ? from : await this.readOnlyPlaceOf(from), to]);
    const [first] = binds;
    if (first === undefined) return;
    if (binds.length === 1) return await run("mount", "-n", "-c", "--bind", ...first);
    const table = `${this.scratch}/table-${++this.tables}`;
    const lines = binds.map(([from, to]) => fstabLine(from, to, "none", ["bind"]));
    await this.fs.writeFile(table, lines.join(""));
    try {
      await run("mount", "-n", "-c", "-a", "-T", table);
    } finally {
      await this.fs.rm(table, { force: true });
    }
  }

  /** Takes mounts away, here and in the containers. */
  async remove(paths: readonly string[]): Promise<void> {
    if (paths.length > 0) await run("umount", "-n", "-l", "-c", ...paths);
  }

  async close(): Promise<void> {
    await unmountBelow(this.fs, this.scratch);
  }

  /**
   * Where the host shows the same, read-only. A bind mount takes over whether what it shows is
   * read-only; making one read-only later would not reach the containers.
   */
  private async readOnlyPlaceOf(path: string): Promise<string> {
    const info = await this.fs.readFile("/proc/self/mountinfo", "utf8");
    const holder = holderOf(parseMountInfo(info), path)?.path ?? "/";
    const known = this.readOnly.get(holder);
    const clone = known ?? this.cloneReadOnly(holder, `${this.scratch}/ro-${this.readOnly.size}`);
    this.readOnly.set(holder, clone);
    clone.catch(() => this.readOnly.delete(holder));
    return `${await clone}${path.slice(holder === "/" ? 0 : holder.length)}`;
  }

  private async cloneReadOnly(holder: string, place: string): Promise<string> {
    await this.fs.mkdir(place, { recursive: true });
    await run("mount", "-n", "--bind", holder, place);
    await run("mount", "-n", "-o", "remount,bind,ro,nosuid,nodev", place);
    return place;
  }
}

/** Undoes all mounts on a directory and below it: what it is removed with must not reach further. */
export async function unmountBelow(fs: DockerFs, directory: string): Promise<void> {
  const lines = (await fs.readFile("/proc/self/mountinfo", "utf8")).split("\n");
  const paths = lines
    .map((line) => parseMountInfo(line)[0]?.path)
    .filter((path) => path === directory || path?.startsWith(`${directory}/`) === true)
    .filter((path) => path !== undefined);
  // Those above others came later.
  for (const path of paths.reverse()) await run("umount", "-n", "-l", "-c", path);
}

async function run(tool: string, ...args: string[]): Promise<void> {
  await exec(findTool(tool), args, { env: { PATH: standardPath } });
}
