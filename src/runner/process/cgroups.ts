import { hasErrno } from "../../base/errno.ts";
import type { RunLimits } from "../runner.ts";
import type { ProcessFs } from "./process-fs.ts";

/** Where the kernel's control groups are. */
const mountPoint = "/sys/fs/cgroup";
const controllers = ["pids", "memory", "cpu"] as const;
type Controller = (typeof controllers)[number];

/** The bounds of one run, kept by the kernel for all its processes together. */
export interface Cgroup {
  /** Files to write "0" to: who does is in the group, with all that it starts. */
  readonly doors: readonly string[];
  /** How often something in it was killed for lack of memory. */
  outOfMemoryKills(): Promise<number>;
  /** To be called when all in it are dead. */
  remove(): Promise<void>;
}

/** The folder of each controller in which we can make groups; none where we may not. */
type Homes = Readonly<Partial<Record<Controller, string>>>;

/** Makes control groups, of version 2 or 1, as far as this machine lets us. */
export class Cgroups {
  private readonly fs: ProcessFs;
  private readonly homes: Homes;
  private readonly isVersion2: boolean;
  private readonly prefix: string;

  private constructor(fs: ProcessFs, homes: Homes, isVersion2: boolean, prefix: string) {
    this.fs = fs;
    this.homes = homes;
    this.isVersion2 = isVersion2;
    this.prefix = prefix;
  }

  /** `name` is of this runner alone: groups that a crash left under it are removed. `place` is for tests. */
  static async open(
    fs: ProcessFs,
    name: string,
    place?: { readonly mount: string; readonly own: string },
  ): Promise<Cgroups> {
    const mount = place?.mount ?? mountPoint;
    const own = place?.own ?? (await fs.readFile("/proc/self/cgroup", "utf8").catch(() => ""));
    const isVersion2 = await exists(fs, `${mount}/cgroup.controllers`);
    const found = isVersion2 ? await homesOf2(fs, mount, own) : await homesOf1(fs, mount, own);
    const cgroups = new Cgroups(fs, found, isVersion2, `mammoth-${name}-`);
    await cgroups.removeLeft();
    return cgroups;
  }

  /** True when a bound of this kind is kept. */
  has(controller: Controller): boolean {
    return this.homes[controller] !== undefined;
  }

  /** Makes a group for one run; undefined where there can be none. */
  async make(
    id: string,
    limits: RunLimits & { readonly processesMax: number },
  ): Promise<Cgroup | undefined> {
    const wanted = controllers.filter(
      (controller) => this.has(controller) && isLimited(controller, limits),
    );
    const folders = [...new Set(wanted.map((one) => `${this.homes[one]}/${this.prefix}${id}`))];
    if (folders.length === 0) return undefined;
    for (const folder of folders) await this.fs.mkdir(folder);
    for (const controller of wanted) {
      const folder = `${this.homes[controller]}/${this.prefix}${id}`;
      for (const [file, value] of settings(controller, limits, this.isVersion2))
        await this.write(`${folder}/${file}`, value);
    }
    const memory = wanted.includes("memory") ? `${this.homes.memory}/${this.prefix}${id}` : "";
    const events = `${memory}/${this.isVersion2 ? "memory.events" : "memory.oom_control"}`;
    return {
      doors: folders.map((folder) => `${folder}/cgroup.procs`),
      outOfMemoryKills: async () => await this.killsIn(memory === "" ? undefined : events),
      remove: async () => {
        for (const folder of folders) await this.removeGroup(folder);
      },
    };
  }

  /** A setting that this kernel does not have (swap is not always counted) is left out. */
  private async write(file: string, value: string): Promise<void> {
    await this.fs.writeFile(file, value, { flag: "r+" }).catch((error: unknown) => {
      if (!hasErrno(error, "ENOENT")) throw error;
    });
  }

  private async killsIn(file: string | undefined): Promise<number> {
    if (file === undefined) return 0;
    return Number(/^oom_kill (\d+)$/m.exec(await this.fs.readFile(file, "utf8"))?.[1] ?? 0);
  }

  /** The dead are taken out of their group a moment after their end. */
  private async removeGroup(folder: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.fs.rmdir(folder);
      } catch (error) {
        if (hasErrno(error, "ENOENT")) return;
        if (!hasErrno(error, "EBUSY") || attempt === removalsMax) throw error;
      }
    }
  }

  private async removeLeft(): Promise<void> {
    for (const home of new Set(Object.values(this.homes))) {
      const names = await this.fs.readdir(home);
      for (const name of names.filter((one) => one.startsWith(this.prefix)))
        // Whoever is still in it is dying: its sandbox has lost us.
        await this.removeGroup(`${home}/${name}`).catch(() => undefined);
    }
  }
}

const removalsMax = 1_000;

function isLimited(controller: Controller, limits: RunLimits): boolean {
  if (controller === "memory") return limits.memoryBytes !== undefined;
  return controller === "pids" || limits.cpus !== undefined;
}

const periodMicros = 100_000;

function settings(
  controller: Controller,
  { memoryBytes = 0, cpus = 0, processesMax }: RunLimits & { readonly processesMax: number },
  isVersion2: boolean,
): [string, string][] {
  const quota = String(Math.max(1_000, Math.round(cpus * periodMicros)));
  switch (controller) {
    case "pids":
      return [["pids.max", String(processesMax)]];
    case "memory":
      return isVersion2
        ? [
            ["memory.max", String(memoryBytes)],
            ["memory.swap.max", "0"],
          ]
        : [
            ["memory.limit_in_bytes", String(memoryBytes)],
            ["memory.memsw.limit_in_bytes", String(memoryBytes)],
          ];
    case "cpu":
      return isVersion2
        ? [["cpu.max", `${quota} ${periodMicros}`]]
        : [
            ["cpu.cfs_period_us", String(periodMicros)],
            ["cpu.cfs_quota_us", quota],
          ];
  }
}

/** Beside our own group: one with processes cannot hand its controllers on. */
async function homesOf2(fs: ProcessFs, mount: string, own: string): Promise<Homes> {
  const path = /^0::(\/.*)$/m.exec(own)?.[1] ?? "/";
  const home = `${mount}${path.slice(0, path.lastIndexOf("/"))}`;
  const given = `${home}/cgroup.subtree_control`;
  if (path === "/")
    for (const controller of controllers)
      await fs.writeFile(given, `+${controller}`, { flag: "r+" }).catch(() => undefined);
  const names = (await fs.readFile(given, "utf8").catch(() => "")).trim().split(" ");
  return await writable(
    fs,
    controllers.filter((one) => names.includes(one)).map((one) => [one, home]),
  );
}

/** Below our own group of each controller. */
async function homesOf1(fs: ProcessFs, mount: string, own: string): Promise<Homes> {
  const places: [Controller, string][] = [];
  for (const line of own.split("\n")) {
    const [, names = "", path = ""] = line.split(":");
    for (const controller of controllers)
      if (names.split(",").includes(controller))
        places.push([controller, `${mount}/${controller}${path === "/" ? "" : path}`]);
  }
  return await writable(fs, places);
}

async function writable(fs: ProcessFs, places: [Controller, string][]): Promise<Homes> {
  const homes: Partial<Record<Controller, string>> = {};
  for (const [controller, folder] of places) {
    // Only trying tells: a read-only mount, rights, and delegation all count.
    const probe = `${folder}/mammoth-probe-${process.pid}`;
    const made = await fs.mkdir(probe).then(
      () => true,
      () => false,
    );
    if (!made) continue;
    await fs.rmdir(probe).catch(() => undefined);
    homes[controller] = folder;
  }
  return homes;
}

async function exists(fs: ProcessFs, path: string): Promise<boolean> {
  return await fs.stat(path).then(
    () => true,
    () => false,
  );
}
