import { spawn } from "node:child_process";
import { CodedError } from "../../base/errors.ts";
import { hasErrno } from "../../base/errno.ts";
import { quote } from "../../base/quote.ts";
import { mountType } from "./mount-list.ts";

/** What a user who is not root mounts, and the program that then answers for it. */
export interface UserMount {
  readonly point: string;
  readonly source: string;
  readonly readOnly: boolean;
  /** The program and its arguments; it finds the number of the descriptor in `variable`. */
  readonly command: readonly string[];
  readonly variable: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * fusermount3, which may mount for users, hands the open device over in a message that Node cannot receive. So
 * Python receives it, and becomes the program.
 */
const script = `
import os, socket, subprocess, sys
ours, theirs = socket.socketpair()
words, point, variable, *command = sys.argv[1:]
env = {**os.environ, "_FUSE_COMMFD": str(theirs.fileno())}
try:
    ended = subprocess.run(["fusermount3", "-o", words, "--", point], env=env, pass_fds=[theirs.fileno()])
except FileNotFoundError:
    sys.exit(127)
if ended.returncode != 0:
    sys.exit(126)
descriptor = socket.recv_fds(ours, 1, 1)[1][0]
os.set_inheritable(descriptor, True)
os.environ[variable] = str(descriptor)
os.execv(command[0], command)
`;

/**
 * Mounts as an ordinary user, and runs the program that answers for it to its end.
 *
 * @returns the exit code of that program
 * @throws CodedError `failed_precondition` when a program is missing, or fusermount3 refuses
 */
export async function mountAsUser(mount: UserMount, signal: AbortSignal): Promise<number> {
  const { point, source, readOnly, command, variable, env } = mount;
  const subtype = mountType.slice("fuse.".length);
  const words = [
    `fsname=${source}`,
    `subtype=${subtype}`,
    "nosuid",
    "nodev",
    readOnly ? "ro" : "rw",
  ];
  const args = ["-c", script, words.join(","), point, variable, ...command];
  const child = spawn("python3", args, { stdio: "inherit", env: { ...env } });
  const stop = (): void => {
    child.kill("SIGTERM");
  };
  signal.addEventListener("abort", stop, { once: true });
  const code = await new Promise<number>((resolve, reject) => {
    child.once("error", (error) => {
      reject(hasErrno(error, "ENOENT", "EACCES") ? refusal(point, "python3") : error);
    });
    child.once("exit", (status) => {
      resolve(status ?? 1);
    });
  }).finally(() => {
    signal.removeEventListener("abort", stop);
  });
  if (code === 127) throw refusal(point, "fusermount3");
  if (code !== 126) return code;
  throw new CodedError(
    "failed_precondition",
    `Cannot mount on ${quote(point)} as an ordinary user: fusermount3 refused, as it says above. Put that right, or mount as root`,
  );
}

function refusal(point: string, missing: "fusermount3" | "python3"): CodedError {
  const packages = { fusermount3: "fuse3", python3: "python3" } as const;
  return new CodedError(
    "failed_precondition",
    `Cannot mount on ${quote(point)} as an ordinary user: there is no ${missing}. Install it with "apt-get install ${packages[missing]}", or mount as root`,
  );
}
