import type { PfsMount } from "../runner.ts";

/** A mount of the host. */
export interface HostMount {
  readonly path: string;
  /** Of `nosuid`, `nodev`, `noexec`: a read-only remount must repeat them, or the kernel refuses. */
  readonly flags: readonly string[];
}

/** What the root of one sandbox is made of. All paths are absolute and without symbolic links. */
export interface SandboxPlan {
  /** Host directory that becomes `/`; has an empty directory per entry of `topLevel`, and proc, tmp, pfs. */
  readonly root: string;
  /** Directories of the host's `/` to show, by name. */
  readonly topLevel: readonly string[];
  readonly hostMounts: readonly HostMount[];
  /** Host directory with an empty directory per mount. */
  readonly pfs: string;
  readonly mounts: readonly PfsMount[];
  /** Becomes `/tmp`. */
  readonly tmp: string;
  readonly hidden: readonly string[];
  /** Directories to bind read-only over directories of the new root, in this order; the last of all. */
  readonly secrets: readonly { readonly from: string; readonly to: string }[];
  /** What is below `/proc` and concerns the whole machine: to be read at most. */
  readonly kernelSettings: readonly string[];
  /** Files of `/dev` to cover: block devices, which root could write past every read-only mount. */
  readonly devices: readonly string[];
}

/** Top-level names whose place in the sandbox is taken by something else than the host's. */
export const replacedTopLevel: ReadonlySet<string> = new Set(["proc", "tmp", "pfs"]);

const keptFlags = ["nosuid", "nodev", "noexec"];

/** Reads `/proc/self/mountinfo` (proc(5)); of mounts on the same path the last one counts. */
export function parseMountInfo(text: string): HostMount[] {
  const mounts = new Map<string, HostMount>();
  for (const line of text.split("\n")) {
    const fields = line.split(" ");
    const path = fields[4];
    const options = fields[5];
    if (path === undefined || options === undefined) continue;
    const flags = options.split(",").filter((option) => keptFlags.includes(option));
    mounts.set(unescape(path), { path: unescape(path), flags });
  }
  return [...mounts.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** The table of mounts, in fstab(5) format, that turns an empty directory into a sandbox's root. */
export function sandboxTable(plan: SandboxPlan): string {
  const { root } = plan;
  const bind = (from: string, to: string, readOnly: boolean): string =>
    bindLine(plan.hostMounts, { from, to, readOnly });
  const lines = [bind(root, root, true)];
  for (const name of rootHolderFirst(plan)) {
    lines.push(
      fstabLine(`/${name}`, `${root}/${name}`, "none", [
        "rbind",
        "ro",
        ...flagsAt(plan.hostMounts, `/${name}`),
      ]),
    );
  }
  for (const mount of plan.hostMounts) {
    if (isShown(plan, mount.path)) {
      lines.push(
        fstabLine("none", root + mount.path, "none", ["remount", "bind", "ro", ...mount.flags]),
      );
    }
  }
  for (const device of plan.devices)
    lines.push(fstabLine("/dev/null", root + device, "none", ["bind"]));
  if (plan.hostMounts.some((mount) => mount.path === "/dev/shm")) {
    lines.push(fstabLine("tmpfs", `${root}/dev/shm`, "tmpfs", ["mode=1777", "nosuid", "nodev"]));
  }
  lines.push(fstabLine("proc", `${root}/proc`, "proc", keptFlags));
  lines.push(
    fstabLine(`${root}/proc/sys`, `${root}/proc/sys`, "none", ["bind", "ro", ...keptFlags]),
  );
  lines.push(bind(plan.tmp, `${root}/tmp`, false));
  lines.push(bind(plan.pfs, `${root}/pfs`, true));
  for (const mount of plan.mounts)
    lines.push(bind(mount.hostPath, `${root}/pfs/${mount.name}`, !mount.writable));
  for (const path of plan.hidden) {
    if (isCovered(plan, path) && !isBelowAny(path, plan.hidden))
      lines.push(
        fstabLine("tmpfs", root + path, "tmpfs", ["ro", "size=4k", "mode=755", "nosuid", "nodev"]),
      );
  }
  for (const { from, to } of plan.secrets) lines.push(bind(from, root + to, true));
  return lines.join("");
}

/** Shows a directory of the host in another place. */
export function bindLine(
  hostMounts: readonly HostMount[],
  { from, to, readOnly }: { from: string; to: string; readOnly: boolean },
): string {
  const options = readOnly ? ["bind", "ro", ...flagsAt(hostMounts, from)] : ["bind"];
  return fstabLine(from, to, "none", options);
}

/**
 * The directory that holds the new root comes first, while nothing is mounted in the root yet:
 * its recursive bind would copy all that into itself.
 */
function rootHolderFirst(plan: SandboxPlan): string[] {
  const holder = plan.root.split("/")[1] ?? "";
  return plan.topLevel.toSorted((a, b) => Number(b === holder) - Number(a === holder));
}

/** True for a mount of the host below a directory that the sandbox shows (the directory itself is done). */
function isShown(plan: SandboxPlan, path: string): boolean {
  return path.lastIndexOf("/") > 0 && isCovered(plan, path);
}

function isCovered(plan: SandboxPlan, path: string): boolean {
  return plan.topLevel.includes(path.split("/")[1] ?? "");
}

/** What lies in a hidden directory is hidden with it, and is no place to mount on any more. */
function isBelowAny(path: string, directories: readonly string[]): boolean {
  return directories.some((directory) => path.startsWith(`${directory}/`));
}

function flagsAt(mounts: readonly HostMount[], path: string): readonly string[] {
  return holderOf(mounts, path)?.flags ?? [];
}

/** The mount that a path is on. */
export function holderOf(mounts: readonly HostMount[], path: string): HostMount | undefined {
  let best: HostMount | undefined;
  for (const mount of mounts) {
    const holds = mount.path === "/" || path === mount.path || path.startsWith(`${mount.path}/`);
    if (holds && (best === undefined || mount.path.length >= best.path.length)) best = mount;
  }
  return best;
}

/** One line of a table of mounts, in fstab(5) format. */
export function fstabLine(
  from: string,
  to: string,
  type: string,
  options: readonly string[],
): string {
  return `${escape(from)} ${escape(to)} ${type} ${options.join(",")} 0 0\n`;
}

function escape(path: string): string {
  return path.replaceAll(
    /[\\ \t\n#]/g,
    (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, "0")}`,
  );
}

function unescape(path: string): string {
  return path.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
