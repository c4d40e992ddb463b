#!/bin/sh
# A model of which word follows which, trained further with each commit, and the lines it writes.
set -eu
cd "$(dirname "$0")"
. ../example.sh
begin "verses" "model poem"
set -x

pachctl create-repo verses
pachctl create-pipeline -f pipeline.yaml

pachctl put-file verses master star -c -f data/verses1
pachctl flush-commit verses/master/0
pachctl get-file poem --of verses/master/0 poem >"$results/poem1"
cat "$results/poem1"

pachctl put-file verses master tyger -c -f data/verses2
pachctl flush-commit verses/master/1
pachctl get-file model --of verses/master/1 pairs >"$results/pairs"
pachctl get-file poem --of verses/master/1 poem >"$results/poem2"
cat "$results/poem2"
