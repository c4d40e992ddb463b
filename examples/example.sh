# shellcheck shell=sh disable=SC2034
# What every run.sh begins with: pachctl on PATH, a daemon, a folder for results; and at its end all of it is gone again.
#
#   cd "$(dirname "$0")" && . ../example.sh
#   begin "REPO..." "PIPELINE..."    what it is going to make; refused where one of them is there already
#
#   set -x                           from here on, commands are shown as they run
#
# At the end "$results" must hold what is in expected/. A function end_example, if there is one, is called then.
#
#   ADDRESS=HOST:PORT   a pachd that runs; without it a throw-away one is started
#   SECRETS_DIR=DIR     what that pachd was given as --secrets-dir
#   RESULTS=DIR         where to leave the results; without it they are removed

begin() {
  repos=$1 pipelines=$2
  PATH=$(cd ../.. && pwd)/bin:$PATH
  LC_ALL=C
  export PATH LC_ALL
  scratch=$(mktemp -d "${TMPDIR:-/tmp}/mammoth-example.XXXXXX")
  results=$(from_there "${RESULTS:-$scratch/results}")
  SECRETS_DIR=$(from_there "${SECRETS_DIR-}")
  mkdir -p "$results"
  pachd='' is_ours=no
  trap '{ status=$?; set +x; } 2>/dev/null; clean_up' EXIT
  trap 'exit 130' INT
  trap 'exit 143' HUP TERM
  [ -n "${ADDRESS-}" ] || start_pachd
  refuse_what_is_there
  is_ours=yes
  PS4='$ '
}

# A path as whoever called run.sh means it, who was in another folder.
from_there() {
  case $1 in
    '' | /*) echo "$1" ;;
    *) echo "$OLDPWD/$1" ;;
  esac
}

start_pachd() {
  SECRETS_DIR=$scratch/secrets
  mkdir "$SECRETS_DIR"
  # shellcheck disable=SC2086 # several words
  pachd --root "$scratch/root" --address 127.0.0.1:0 --secrets-dir "$SECRETS_DIR" ${pachd_options-} \
    >"$scratch/ready" 2>"$scratch/log" &
  pachd=$!
  until grep -q 'ready at' "$scratch/ready" 2>/dev/null; do
    kill -0 "$pachd" 2>/dev/null || { cat "$scratch/log" >&2; exit 1; }
    sleep 0.1
  done
  ADDRESS=$(sed -n 's/.*ready at \([^ ]*\).*/\1/p' "$scratch/ready")
  export ADDRESS
}

# Repos and pipelines of somebody else are not ours to write to, and still less to delete.
refuse_what_is_there() {
  pachctl list-repo >"$scratch/there"
  pachctl list-pipeline >>"$scratch/there"
  for name in $repos $pipelines; do
    if grep -q "^$name " "$scratch/there"; then
      echo "The pachd at $ADDRESS has a repo or pipeline $name already: delete it, or run this without ADDRESS" >&2
      exit 2
    fi
  done
}

# Who wants to know why cannot ask when all is gone.
show_failures() {
  for name in $pipelines; do
    for job in $(pachctl list-job -p "$name" | awk '$NF == "failure" { print $1 }'); do
      pachctl inspect-job "$job" || :
    done
  done
}

clean_up() {
  trap - EXIT
  # Whoever is impatient may press the keys twice.
  trap '' HUP INT TERM
  if [ "$status" = 0 ]; then
    if diff -r expected "$results" >"$scratch/differences"; then
      echo "The results are those of expected/."
    else
      echo "The results are not those of expected/:"
      head -n 20 "$scratch/differences"
      status=1
    fi >&2
  fi
  [ "$status" = 0 ] || [ "$is_ours" = no ] || show_failures >&2
  if type end_example >/dev/null 2>&1; then end_example || :; fi
  if [ -n "$pachd" ]; then
    kill "$pachd" 2>/dev/null || :
    wait "$pachd" 2>/dev/null || :
  elif [ "$is_ours" = yes ]; then
    for name in $pipelines; do pachctl delete-pipeline "$name" 2>/dev/null || :; done
    for name in $pipelines $repos; do pachctl delete-repo --force "$name" 2>/dev/null || :; done
  fi
  rm -rf "$scratch"
  exit "$status"
}
