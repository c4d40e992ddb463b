import type { RunSpec } from "../runner.ts";

/** How a shim reaches what the host keeps for it, in words of the shell. */
export interface ShimPlaces {
  /** Opens file 3, from which it reads, and file 4, to which it answers. */
  readonly open: string;
  /** What a command reads and where it writes, opened anew for each. */
  readonly stdin: string;
  readonly output: string;
  /** The same of a command between two streams, which writes only its errors to `output`. */
  readonly pipes: { readonly stdin: string; readonly stdout: string };
  /** Files that a command is not to have. */
  readonly closed: string;
}

/**
 * The first process of a warm sandbox, in POSIX sh: takes one command a line, as shell code that
 * sets the search path `p`, the program `c`, whether it is between two streams, `b`, and the words of the whole
 * command line; answers a line for each. When the daemon is gone its line ends, and the container with it.
 *
 * What the shell itself says of a command that a signal ended is not for the command's output.
 *
 * A pipe that is only read from cannot be opened before somebody writes, and whoever did may be done: it is opened
 * both ways first.
 *
 * After each command it kills whatever is left. A process that is dead and waits to be reaped is
 * fine; many are not: they count as processes.
 *
 * Answers: `ready` once; `missing WHY`; `CODE ALIVE ZOMBIES IPC`.
 */
export function shimOf({ open, stdin, output, pipes, closed }: ShimPlaces): string {
  return `set -f
n='
'
${open} || exit 1
command -v env >/dev/null || exit 1
found() {
  why='was not found in PATH'
  case $1 in
    */*)
      why='does not exist'
      [ -e "$1" ] || return 1
      why='is not an executable file'
      [ -f "$1" ] && [ -x "$1" ]
      return ;;
  esac
  IFS=:
  for d in $p; do
    [ -f "\${d:-.}/$1" ] || continue
    [ -x "\${d:-.}/$1" ] && { unset IFS; return 0; }
    why='is not executable'
  done
  unset IFS
  return 1
}
scan() {
  alive=0 zombies=0
  set +f
  for d in /proc/[0-9]*; do
    [ "$d" = /proc/1 ] && continue
    s=
    read -r s 2>/dev/null <"$d/stat" || continue
    case $s in *') Z '*) zombies=$((zombies+1)) ;; *) alive=$((alive+1)) ;; esac
  done
  set -f
}
tidy() {
  i=0
  scan
  while [ $alive -gt 0 ] && [ $i -lt 500 ]; do
    kill -9 -1 2>/dev/null
    scan
    i=$((i+1))
  done
  ipc=0
  for d in shm sem msg; do
    { read -r s; read -r s && ipc=1; } 2>/dev/null <"/proc/sysvipc/$d"
  done
}
echo ready >&4
while IFS= read -r line <&3; do
  eval "$line"
  if found "$c"; then
    case $b in
      '') (exec "$@" <${stdin} >${output} 2>&1 ${closed}) ;;
      *) (exec "$@" 8<>${pipes.stdin} <${pipes.stdin} 8<&- >${pipes.stdout} 2>${output} ${closed}) ;;
    esac
    code=$?
    tidy
    echo "$code $alive $zombies $ipc" >&4
  else
    echo "missing $why" >&4
  fi
done
`;
}

/** How a shim is to start a command. */
export interface CommandParts {
  /** Between two streams. */
  readonly isPiped: boolean;
  readonly environment: readonly string[];
  readonly env: readonly string[];
}

/** The line that has the shim run a command. `environment` is all of it but HOME; `env` begins with that program. */
export function commandLine(spec: RunSpec, { environment, env, isPiped }: CommandParts): string {
  const path = environment.find((variable) => variable.startsWith("PATH="))?.slice("PATH=".length);
  const home = environment.some((variable) => variable.startsWith("HOME="))
    ? []
    : ['"HOME=${HOME:-/}"'];
  const words = [...env.map(quoted), ...home, ...[...environment, ...spec.cmd].map(quoted)];
  const between = isPiped ? "1" : "";
  return `p=${quoted(path ?? "")} c=${quoted(spec.cmd[0] ?? "")} b=${between}; set -- ${words.join(" ")}\n`;
}

/** On one line: `$n` is a newline. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`).replaceAll("\n", `'"$n"'`)}'`;
}
