#!/bin/sh
# The last stage of a pipeline loads results into PostgreSQL, with a secret. The database here is a throw-away one.
set -eu
cd "$(dirname "$0")"
. ../example.sh
if [ -n "${ADDRESS-}" ] && [ -z "${SECRETS_DIR-}" ]; then
  echo "Where are the secrets of the pachd at $ADDRESS? SECRETS_DIR=DIR, what it was given as --secrets-dir" >&2
  exit 2
fi
begin "sales" "takings loaded"

database=$(mktemp -d /tmp/mammoth-database.XXXXXX)
end_example() {
  ./database.sh stop "$database"
  rm -rf "$database" "$SECRETS_DIR/warehouse"
}
./database.sh start "$database"
mkdir "$SECRETS_DIR/warehouse"
cp "$database/service.conf" "$SECRETS_DIR/warehouse/"
export PGSERVICEFILE="$database/service.conf" PGSERVICE=warehouse
set -x

pachctl create-repo sales
pachctl create-pipeline -f pipeline.yaml

pachctl put-file sales master monday -c -f data/monday
pachctl flush-commit sales/master/0
psql --csv -c 'SELECT fruit, total FROM takings ORDER BY fruit' >"$results/monday.csv"

pachctl put-file sales master tuesday -c -f data/tuesday
pachctl flush-commit sales/master/1
psql --csv -c 'SELECT fruit, total FROM takings ORDER BY fruit' >"$results/tuesday.csv"
psql -c 'SELECT * FROM takings ORDER BY fruit'

# The password is in nothing that pachd says of these jobs.
for job in $(pachctl list-job -p loaded | awk 'NR > 1 { print $1 }'); do
  pachctl inspect-job "$job" >>"$scratch/said"
  pachctl get-logs "$job" >>"$scratch/said"
done
if grep -q -F -f "$database/password" "$scratch/said"; then exit 1; fi
