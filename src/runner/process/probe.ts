import { execFile } from "node:child_process";
import { codedErrorFrom } from "../../base/errors.ts";
import { findTool, standardPath } from "./tools.ts";

/** How `unshare` makes the namespaces: an ordinary user needs a user namespace in which it is root. */
export function unshareFlags(): string {
  return process.geteuid?.() === 0 ? "-mpif" : "-Urmpif";
}

const needed = [
  "unshare",
  "nsenter",
  "setpriv",
  "mount",
  "chroot",
  "env",
  "mkfifo",
  "prlimit",
  "sh",
];

/**
 * Tries whether this machine lets us run commands in namespaces of their own. Takes some 10 ms.
 * `reason` says why not, and what helps.
 */
export async function probeNamespaces(): Promise<{ works: boolean; reason: string }> {
  try {
    needed.forEach(findTool);
  } catch (error) {
    return { works: false, reason: codedErrorFrom(error).message };
  }
  const script = "mount -n -t tmpfs tmpfs /proc && umount /proc && mount -n -t proc proc /proc";
  const args = [unshareFlags(), "--kill-child", findTool("sh"), "-c", script];
  return await new Promise((resolve) => {
    execFile(
      findTool("unshare"),
      args,
      { env: { PATH: standardPath }, timeout: 10_000 },
      (error, _stdout, stderr) => {
        if (error === null) resolve({ works: true, reason: "" });
        else resolve({ works: false, reason: `${firstLine(stderr) || error.message}. ${remedy}` });
      },
    );
  });
}

const remedy =
  "Allow user namespaces (sysctl kernel.unprivileged_userns_clone=1 or kernel.apparmor_restrict_unprivileged_userns=0), " +
  "or run pachd as root, or its container with --privileged (or --cap-add SYS_ADMIN and unconfined seccomp and apparmor), " +
  "or start pachd with --no-sandbox as root";

function firstLine(text: string): string {
  return (text.split("\n", 1)[0] ?? "").replace(/\.$/, "");
}
