#!/bin/sh
# Fetches web pages, each once, and reads prices from them. The server is this machine's own.
set -eu
cd "$(dirname "$0")"
. ../example.sh
begin "sites" "pages prices"

python3 server.py "$scratch/requests" "$scratch/port" &
server=$!
end_example() { kill "$server"; }
until [ -s "$scratch/port" ]; do
  kill -0 "$server"
  sleep 0.1
done
url=http://127.0.0.1:$(cat "$scratch/port")

mkdir "$scratch/monday" "$scratch/tuesday"
for fruit in apple banana cherry; do echo "$url/$fruit.html" >"$scratch/monday/$fruit"; done
echo "$url/orange.html" >"$scratch/tuesday/orange"
set -x

pachctl create-repo sites
pachctl create-pipeline -f pipeline.yaml

pachctl put-file sites master / -c -r -f "$scratch/monday"
pachctl flush-commit sites/master/0
pachctl get-file prices --of sites/master/0 prices >"$results/monday"

# One more: the others are not fetched again.
pachctl put-file sites master / -c -r -f "$scratch/tuesday"
pachctl flush-commit sites/master/1
pachctl get-file prices --of sites/master/1 prices >"$results/tuesday"
sort "$scratch/requests" >"$results/requests"
cat "$results/tuesday" "$results/requests"
