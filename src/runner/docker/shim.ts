import type { RunSpec } from "../runner.ts";

/** Where a container finds what it is told, and where it answers: a directory of the host, read-only. */
export const controlPath = "/dev/mammoth";

/**
 * The first process of a warm container, in POSIX sh: takes one command a line, as shell code that
 * sets the search path `p`, the program `c`, whether it is between two streams `s`, and the words of the
 * whole command line; answers a line for each. When the daemon is gone its line ends, and the container with it.
 *
 * After each command it kills whatever is left. A process that is dead and waits to be reaped is
 * fine; many are not: they count as processes.
 *
 * Answers: `ready` once; `missing WHY`; `open` when a stream can be written; `CODE ALIVE ZOMBIES IPC`.
 */
export const shim = `set -f
m=${controlPath}
n='
'
exec 3<"$m/tasks" 4>"$m/answers" || exit 1
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
    if [ -n "$s" ]; then
      exec 5<"$m/stdin-pipe"
      echo open >&4
      "$@" <&5 >"$m/stdout-pipe" 2>"$m/output" 3<&- 4>&- 5<&-
      code=$?
      exec 5<&-
    else
      "$@" <"$m/stdin" >"$m/output" 2>&1 3<&- 4>&-
      code=$?
    fi
    tidy
    echo "$code $alive $zombies $ipc" >&4
  else
    echo "missing $why" >&4
  fi
done
`;

/** The line that has the shim run a command. `environment` is all of it but HOME. */
export function commandLine(
  spec: RunSpec,
  environment: readonly string[],
  isPiped: boolean,
): string {
  const path = environment.find((variable) => variable.startsWith("PATH="))?.slice("PATH=".length);
  const home = environment.some((variable) => variable.startsWith("HOME="))
    ? []
    : ['"HOME=${HOME:-/}"'];
  const words = ["env", "-i", ...home, ...[...environment, ...spec.cmd].map(quoted)];
  return `p=${quoted(path ?? "")} c=${quoted(spec.cmd[0] ?? "")} s=${isPiped ? 1 : ""}; set -- ${words.join(" ")}\n`;
}

/** On one line: `$n` is a newline. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`).replaceAll("\n", `'"$n"'`)}'`;
}
