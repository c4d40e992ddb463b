import { present } from "../../base/assert.ts";
import { errnoOf } from "../../base/errno.ts";
import { CodedError } from "../../base/errors.ts";
import { KiB, MiB } from "../../base/size.ts";
import type { Device } from "../fuse/device.ts";
import { openDevice } from "./kernel-device.ts";
import { mountType, type MountedAt } from "./mount-list.ts";
import { listMounts, type AttachDeps } from "./mount-point.ts";
import { runProgram } from "./programs.ts";

export interface AttachOptions {
  /** An empty directory. */
  readonly point: string;
  readonly source: string;
  readonly readOnly: boolean;
  /** Other users get in too. Default: who mounted it alone. */
  readonly forAll?: boolean;
  /** What the kernel asks for ahead of who reads on, at most. Default: 1 MiB. */
  readonly aheadBytes?: number;
}

/** A directory whose content is asked for at a device. */
export interface Attached {
  readonly device: Device;
  readonly mounted: MountedAt;
  close(): Promise<void>;
}

const devicePath = "/dev/fuse";

/** Takes over a device that was attached to a directory by another program. */
export async function takeOver(
  descriptor: number,
  point: string,
  deps: AttachDeps,
): Promise<Attached> {
  const mounted = await mountedAt(point, deps);
  return { device: openDevice(descriptor), mounted, close: () => Promise.resolve() };
}

/**
 * Attaches a device to a directory, as root.
 *
 * @throws CodedError `failed_precondition` where the kernel does not let us
 */
export async function attach(options: AttachOptions, deps: AttachDeps): Promise<Attached> {
  const { point, source, readOnly, forAll = false, aheadBytes = MiB } = options;
  const { uid, gid } = deps.owner;
  const file = await deps.fs.open(devicePath, "r+").catch((error: unknown) => {
    throw noDevice(error);
  });
  try {
    const flags = ["fd=3", "rootmode=40000", `user_id=${uid}`, `group_id=${gid}`];
    // Others are let in as far as modes and owners let them.
    if (forAll) flags.push("allow_other", "default_permissions");
    const words = [...flags, "nosuid", "nodev", readOnly ? "ro" : "rw"].join(",");
    const args = ["-i", "-t", mountType, "-o", words, source, point];
    const ended = await runProgram("mount", args, [file.fd]);
    if (ended?.code !== 0) throw notMounted(point, ended?.message ?? "mount is not installed");
    const mounted = await mountedAt(point, deps);
    await setReadAhead(mounted, aheadBytes, deps);
    return {
      device: openDevice(file.fd),
      mounted,
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function mountedAt(point: string, deps: AttachDeps): Promise<MountedAt> {
  const found = (await listMounts(deps)).findLast((one) => one.point === point);
  return present(found, `the mount on ${point}`);
}

/** By itself a kernel asks for 128 KiB at a time; only root may have it ask for more. */
async function setReadAhead(
  { device }: MountedAt,
  bytes: number,
  { fs }: AttachDeps,
): Promise<void> {
  const path = `/sys/class/bdi/${device}/read_ahead_kb`;
  await fs.writeFile(path, `${bytes / KiB}`).catch(() => undefined);
}

function noDevice(error: unknown): CodedError {
  const code = errnoOf(error);
  const [why, remedy] =
    code === "EACCES" || code === "EPERM"
      ? ["this user may not use it", `Mount as root, or let users use it: chmod 666 ${devicePath}`]
      : ["this machine has none", "Load the kernel's module with: modprobe fuse"];
  return new CodedError(
    "failed_precondition",
    `Cannot open ${devicePath} (${code}): ${why}. ${remedy}`,
    { cause: error },
  );
}

function notMounted(point: string, message: string): CodedError {
  return new CodedError("failed_precondition", `Cannot mount on ${point}: ${message}`);
}
