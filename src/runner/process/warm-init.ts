import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { present } from "../../base/assert.ts";
import { CodedError } from "../../base/errors.ts";
import { Answers } from "../warm/answers.ts";
import { shimOf } from "../warm/shim.ts";
import type { Bounds } from "./bounds.ts";
import type { RunFiles } from "./run-files.ts";
import { findTool, standardPath } from "./tools.ts";

/**
 * Namespaces with two shells in them. The shim is the first process of the sandbox: confined as a command is, it
 * runs one command after the other. The mounter is outside of it, seen by nothing that runs in it, and changes
 * what is mounted there. Each reads from a pipe that only this process holds: when that ends, which even a SIGKILL
 * of the daemon brings about, the mounter kills the shim, and all dies with it.
 */
export interface WarmInit {
  /** Where this machine sees the files of the mounter's namespace. */
  readonly mounterRoot: string;
  readonly answers: Answers;
  /** Has the shim run a command line. */
  readonly send: (line: string) => void;
  /** Has the mounter run a command line. @throws CodedError `internal` with what it said when that fails */
  mount(line: string): Promise<void>;
  /** Kills everything; settles when all is dead. Safe to call again. */
  close(): Promise<void>;
}

/** `$@`: the program that makes the namespace of processes, and what it starts there. */
const mounterScript = `
(
  exec 5<&- 6>&-
  set -f
  init=
  read -r pid _ </proc/self/stat
  echo "$pid" >&3
  while IFS= read -r line <&4; do
    if eval "$line"; then echo done; else echo failed; fi >&3
  done
  read -r _ _ _ parent _ <"/proc/$init/stat" && [ "$parent" = $$ ] && kill -9 "$init"
) &
exec 3>&- 4<&-
exec "$@"
`;

/**
 * `$1` directory of the run, then files to enter its control groups, `--`, and what becomes the shim. A reader
 * cannot be opened before there is a writer, so the pipe is opened both ways first.
 */
const initScript = `set -e
directory=$1
shift
read -r pid _ </proc/self/stat
while [ "$1" != -- ]; do echo 0 >"$1"; shift; done
shift
exec 3<&5 4>&6
mkfifo -m 666 "$directory/output" "$directory/stdin-pipe" "$directory/stdout-pipe"
exec 8<>"$directory/stdin-pipe" 5<"$directory/stdin-pipe" 8>&-
exec 8<>"$directory/stdout-pipe" 6<"$directory/stdout-pipe" 8>&-
exec 8<>"$directory/output" 7<"$directory/output" 8>&-
mount -n -a -T "$directory/mounts"
exec 9<"$directory/stdin"
cd /
echo "$pid" >&4
exec "$@"
`;

const shim = shimOf({
  open: "exec 2>&4",
  stdin: "/proc/self/fd/9",
  output: "/proc/self/fd/7",
  pipes: { stdin: "/proc/self/fd/5", stdout: "/proc/self/fd/6" },
  closed: "3<&- 4>&- 5<&- 6<&- 7<&- 9<&-",
});

/** Problems are told in so many characters. */
const problemCharsMax = 2_000;

/**
 * @param confine put before the shim: takes away what commands must not be able to do
 * @throws CodedError `internal` with what the tools said
 */
export async function startWarmInit(options: {
  readonly id: string;
  readonly root: string;
  readonly files: RunFiles;
  readonly bounds: Bounds;
  readonly confine: readonly string[];
  /** False: a network of its own, with nothing in it. */
  readonly network: boolean;
}): Promise<WarmInit> {
  const { id, root, files, bounds, confine } = options;
  const sh = findTool("sh");
  const unshare = findTool("unshare");
  const become = [...bounds.limit, findTool("chroot"), root, ...confine, "/bin/sh", "-c", shim];
  const first = [sh, "-c", initScript, "sandbox", files.directory, ...bounds.doors, "--"];
  const inner = [unshare, "-pf", "--kill-child", "--", ...first, ...become];
  const flags = `${process.geteuid?.() === 0 ? "-mi" : "-Urmi"}${options.network ? "" : "n"}`;
  const child = spawn(unshare, [flags, "--", sh, "-c", mounterScript, "mounter", ...inner], {
    cwd: "/",
    env: { PATH: standardPath },
    // A session of its own: Ctrl-C at the daemon must not reach it.
    detached: true,
    stdio: ["ignore", "ignore", "pipe", "pipe", "pipe", "pipe", "pipe"],
  });
  const [, , , told, control, tasks, answered] = child.stdio as unknown as Socket[];
  for (const pipe of [control, tasks]) pipe?.on("error", () => undefined);
  let problem = "";
  present(child.stderr, "stderr")
    .setEncoding("utf8")
    .on("data", (text: string) => (problem = (problem + text).slice(-problemCharsMax)));
  const closed = once(child, "close").then(
    () => undefined,
    (error: Error) => void (problem += error.message),
  );
  const mounter = new Answers(present(told, "told"));
  const answers = new Answers(present(answered, "answers"));
  const close = async (): Promise<void> => {
    control?.destroy();
    tasks?.destroy();
    await closed;
  };
  const failed = (): CodedError =>
    new CodedError("internal", `Cannot prepare the sandbox of ${id}: ${problem.trim()}`);
  const mount = async (line: string): Promise<void> => {
    problem = "";
    control?.write(`${line}\n`);
    if ((await mounter.next()) !== "done") throw failed();
  };
  const pid = await mounter.next();
  const init = await answers.next();
  const said = await answers.next();
  if (pid === undefined || init === undefined || said !== "ready") {
    await close();
    throw failed();
  }
  await mount(`init=${init}`);
  return {
    mounterRoot: `/proc/${pid}/root`,
    answers,
    send: (line) => void tasks?.write(line),
    mount,
    close,
  };
}
