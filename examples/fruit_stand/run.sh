#!/bin/sh
# Two days at a fruit stand: what is new is filtered, and added to the totals so far.
set -eu
cd "$(dirname "$0")"
. ../example.sh
begin "data" "filter sum"
set -x

pachctl create-repo data
pachctl create-pipeline -f pipeline.json

pachctl put-file data master sales -c -f data/monday
pachctl flush-commit data/master/0
pachctl get-file sum --of data/master/0 apple >"$results/apple-on-monday"

pachctl put-file data master sales -c -f data/tuesday
pachctl flush-commit data/master/1
for fruit in apple banana orange; do
  pachctl get-file sum --of data/master/1 $fruit >"$results/$fruit"
done
