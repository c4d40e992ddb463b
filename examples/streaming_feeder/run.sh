#!/bin/sh
# Sensors that are read once a second, and how long it takes until each reading is in the result.
# SECONDS_TOTAL=N (default 60): for how long, 5 at least.
set -eu
cd "$(dirname "$0")"
. ../example.sh
total=${SECONDS_TOTAL:-60}
[ "$total" -ge 5 ]
begin "readings" "sums"

# Between the end of the commit and the end of the commit that it caused, by the clock of pachd.
print_lag() {
  pachctl flush-commit "readings/master/$1" --raw | sed 's/.*"finishedMicros":\([0-9]*\).*/\1/' |
    awk -v second="$1" 'NR == 1 { began = $1 } END { printf "second %2d: in the result after %3d ms\n", second, ($1 - began) / 1000 }'
}

pachctl create-repo readings
pachctl create-pipeline -f pipeline.yaml

waited=
began=$(date +%s)
for second in $(seq 0 $((total - 1))); do
  while [ "$(date +%s)" -lt $((began + second)) ]; do sleep 0.05; done
  ./readings.sh "$second" | pachctl put-file readings master sensors -c
  print_lag "$second" | tee -a "$scratch/lags" &
  waited="$waited $!"
done
# shellcheck disable=SC2086 # several words
wait $waited

sort -n -k7 "$scratch/lags" | awk '{ lag[NR] = $7 } END { print "median", lag[int((NR + 1) / 2)], "ms, longest", lag[NR], "ms" }'

pachctl get-file sums --of readings/master/4 sums >"$results/after-5-seconds"
pachctl get-file sums --of "readings/master/$((total - 1))" sums
