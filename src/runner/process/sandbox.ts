import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { present } from "../../base/assert.ts";
import { CodedError } from "../../base/errors.ts";
import { unshareFlags } from "./probe.ts";
import { findTool, standardPath } from "./tools.ts";

/**
 * Namespaces with the new root in place and nothing running but their init. All that is started in
 * them dies with the init, and the init dies with us: it waits for the end of a pipe that only this
 * process holds, so that even a SIGKILL of the daemon leaves nothing behind.
 */
export interface Sandbox {
  /** Id of the init, by which `nsenter` finds the namespaces. */
  readonly pid: string;
  /** True when somebody else killed it: what became of a command in it is then no outcome. */
  readonly lost: boolean;
  /** Kills everything in it; settles when all is dead. Safe to call again. */
  close(): Promise<void>;
}

/**
 * The init: makes the pipes, does all mounts by one call, says who it is and waits. Reaps
 * orphans by ignoring SIGCHLD. `$1` table, `$2` root, then the pipes.
 */
const initScript = `set -e
read -r pid _ </proc/self/stat
table=$1 root=$2
shift 2
mkfifo -m 666 "$@"
mount -n -a -T "$table"
cd /
exec chroot "$root" /bin/sh -c 'trap "" CHLD; echo "$0" >&3; exec 3>&-; read -r _ <&4' "$pid"
`;

/** @throws CodedError `internal` with what the tools said */
export async function openSandbox(options: {
  id: string;
  table: string;
  root: string;
  /** Named pipes to make. */
  pipes: readonly string[];
  /** False: a network of its own, with nothing in it. */
  network: boolean;
}): Promise<Sandbox> {
  const flags = `${unshareFlags()}${options.network ? "" : "n"}`;
  const args = [flags, "--kill-child", "--", findTool("sh"), "-c", initScript, "sandbox"];
  const child = spawn(
    findTool("unshare"),
    [...args, options.table, options.root, ...options.pipes],
    {
      cwd: "/",
      env: { PATH: standardPath },
      // A session of its own: Ctrl-C at the daemon must not reach it.
      detached: true,
      stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"],
    },
  );
  const control = child.stdio[4] as Socket;
  control.on("error", () => undefined);
  let problem = "";
  present(child.stderr, "stderr")
    .setEncoding("utf8")
    .on("data", (text: string) => (problem = (problem + text).slice(0, problemCharsMax)));
  const closed = once(child, "close").then(
    () => undefined,
    (error: Error) => void (problem += error.message),
  );
  const close = async (): Promise<void> => {
    control.destroy();
    await closed;
  };
  const pid = await Promise.race([firstLineOf(child.stdio[3] as Socket), closed.then(() => "")]);
  if (pid === "") {
    await close();
    throw new CodedError(
      "internal",
      `Cannot prepare the sandbox of ${options.id}: ${problem.trim()}`,
    );
  }
  return {
    pid,
    get lost() {
      // Left alone, the init ends by reading the end of its pipe, with an exit code.
      return child.signalCode !== null;
    },
    close,
  };
}

const problemCharsMax = 2_000;

/** The line arrives in one piece: it is far shorter than a pipe's atomic write. */
async function firstLineOf(stream: Socket): Promise<string> {
  for await (const piece of stream) return (piece as Buffer).toString("latin1").trim();
  return "";
}
