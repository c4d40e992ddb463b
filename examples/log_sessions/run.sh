#!/bin/sh
# Sessions of the users of a shop, from its logs and a table that says where each user lives.
set -eu
cd "$(dirname "$0")"
. ../example.sh
begin "logs users" "visits sessions report"
set -x

pachctl create-repo logs
pachctl create-repo users
pachctl create-pipeline -f pipeline.yaml

pachctl put-file users master countries -c -f data/countries
pachctl put-file logs master shop.log -c -f data/day1
pachctl flush-commit logs/master/0 users/master/0
pachctl get-file report --of logs/master/0 countries >"$results/day1"
cat "$results/day1"

pachctl put-file logs master shop.log -c -f data/day2
pachctl flush-commit logs/master/1 >"$scratch/flushed"
pachctl get-file report --of logs/master/1 countries >"$results/day2"
cat "$results/day2"

# eve has lived in Norway all the time.
pachctl put-file users master countries -c --overwrite -f data/countries-corrected
pachctl flush-commit users/master/1 >"$scratch/flushed"
pachctl get-file report --of users/master/1 countries >"$results/corrected"
cat "$results/corrected"
