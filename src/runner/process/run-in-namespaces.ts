import { CodedError } from "../../base/errors.ts";
import type { RunOutcome, RunSpec } from "../runner.ts";
import type { Bounds } from "./bounds.ts";
import { runCommand, type Command } from "./command.ts";
import { parseMountInfo, replacedTopLevel, sandboxTable } from "./mount-table.ts";
import type { ProcessFs } from "./process-fs.ts";
import type { RunFiles } from "./run-files.ts";
import { openSandbox, type Sandbox } from "./sandbox.ts";
import { secretBinds } from "./secret-mounts.ts";
import { findTool, standardPath } from "./tools.ts";

type RunOptions = Parameters<typeof runCommand>[2];

/** Docker's default set without mknod, chroot and audit: nothing that undoes a mount or reaches a disk. */
const capabilities =
  "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,+net_raw,+setfcap";

/** Makes the empty directory that becomes `/` in every sandbox; links of the host's `/` are copied. */
export async function prepareRoot(fs: ProcessFs, root: string): Promise<void> {
  for (const name of replacedTopLevel)
    await fs.mkdir(`${root}/${name}`, { recursive: true, mode: 0o755 });
  for (const entry of await fs.readdir("/", { withFileTypes: true })) {
    if (replacedTopLevel.has(entry.name)) continue;
    if (entry.isDirectory()) await fs.mkdir(`${root}/${entry.name}`, { mode: 0o755 });
    if (entry.isSymbolicLink())
      await fs.symlink(await fs.readlink(`/${entry.name}`), `${root}/${entry.name}`);
  }
}

/** Runs one command in namespaces of its own, which end with it. */
export async function runInNamespaces(
  fs: ProcessFs,
  options: RunOptions & {
    spec: RunSpec;
    env: Record<string, string>;
    files: RunFiles;
    root: string;
    bounds: Bounds;
  },
): Promise<RunOutcome> {
  const { spec, files } = options;
  await fs.writeFile(files.table, await tableOf(fs, spec, files, options.root));
  const sandbox = await openSandbox({
    id: spec.id,
    table: files.table,
    root: options.root,
    output: files.output,
    network: spec.network !== "none",
  });
  try {
    const outcome = await runCommand(fs, entering(sandbox, options), options);
    if (!sandbox.lost) return outcome;
    throw new CodedError(
      "unavailable",
      `The sandbox of ${spec.id} was killed from outside; run the command again`,
    );
  } finally {
    await sandbox.close();
  }
}

/** The table of mounts of a sandbox, and makes the places of what it mounts. */
export async function tableOf(
  fs: ProcessFs,
  spec: RunSpec,
  files: RunFiles,
  root: string,
): Promise<string> {
  const shown = await fs.readdir(root, { withFileTypes: true });
  const reachable = async (path: string): Promise<boolean> =>
    await fs.stat(path).then(
      () => true,
      () => false,
    );
  const hostMounts = [];
  for (const mount of parseMountInfo(await fs.readFile("/proc/self/mountinfo", "utf8"))) {
    // What we cannot reach the command, having our rights, cannot reach either.
    if (await reachable(mount.path)) hostMounts.push(mount);
  }
  const mounts = [];
  for (const mount of spec.mounts) {
    await fs.mkdir(`${files.pfs}/${mount.name}`);
    mounts.push({ ...mount, hostPath: await fs.realpath(mount.hostPath) });
  }
  const binds = await secretBinds(fs, spec.secrets ?? [], { files, root });
  const secrets = [];
  for (const { from, to } of binds) secrets.push({ from: await fs.realpath(from), to });
  const topLevel = [];
  for (const entry of shown)
    // A place of secrets of some run is not the machine's.
    if (
      entry.isDirectory() &&
      !replacedTopLevel.has(entry.name) &&
      (await reachable(`/${entry.name}`))
    )
      topLevel.push(entry.name);
  const hidden = [];
  for (const path of spec.hidden) if (await reachable(path)) hidden.push(await fs.realpath(path));
  return sandboxTable({
    root,
    topLevel,
    hostMounts,
    pfs: files.pfs,
    mounts,
    tmp: files.tmp,
    hidden,
    secrets,
    kernelSettings: await kernelSettings(fs),
    devices: await blockDevices(fs),
  });
}

/** As Docker has it. A write to sysrq-trigger, which takes no capability but only root, ends the machine. */
const kernelNames = ["acpi", "bus", "fs", "irq", "scsi", "sys", "sysrq-trigger"];

async function kernelSettings(fs: ProcessFs): Promise<string[]> {
  const names = await fs.readdir("/proc");
  return kernelNames.filter((name) => names.includes(name)).map((name) => `/proc/${name}`);
}

/** Put before a command in a sandbox: takes away what it must not be able to do. */
export function confinement({ user }: RunSpec): string[] {
  const rights = ["--inh-caps=-all", `--bounding-set=${capabilities}`];
  return [findTool("setpriv"), ...identity(user), ...rights, "--"];
}

function identity(user: string | undefined): string[] {
  if (user === undefined) return [];
  const [uid = "", gid = uid] = user.split(":");
  return [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
}

async function blockDevices(fs: ProcessFs): Promise<string[]> {
  const entries = await fs.readdir("/dev", { withFileTypes: true });
  return entries.filter((entry) => entry.isBlockDevice()).map((entry) => `/dev/${entry.name}`);
}

function entering(
  sandbox: Sandbox,
  options: { spec: RunSpec; env: Record<string, string>; files: RunFiles; bounds: Bounds },
): Command {
  const { spec, files, bounds } = options;
  const user = process.geteuid?.() === 0 ? [] : ["--user", "--preserve-credentials"];
  const enter = [
    "--target",
    sandbox.pid,
    ...user,
    "--mount",
    "--pid",
    "--ipc",
    ...(spec.network === "none" ? ["--net"] : []),
    "--root",
    "--wd",
    "--",
  ];
  // The spec's variables begin to exist inside: an LD_PRELOAD is not for our own tools.
  const variables = Object.entries(options.env).map(([name, value]) => `${name}=${value}`);
  const start = spec.workingDir === undefined ? [] : ["-C", spec.workingDir];
  const inside = [...confinement(spec), findTool("env"), "-i", ...start, ...variables, ...spec.cmd];
  const [file = "", ...args] = [...bounds.enter, findTool("nsenter"), ...enter, ...inside];
  return {
    file,
    args,
    env: { PATH: standardPath },
    stdin: files.stdin,
    output: files.output,
    async killAll() {
      await sandbox.close();
    },
  };
}
