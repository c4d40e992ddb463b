#!/bin/sh
# database.sh start|stop FOLDER: a PostgreSQL server with its data in FOLDER. "start" writes FOLDER/service.conf, which says where
# it is and what its password is.
set -eu
PATH=$PATH:$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
folder=$2

# It refuses to run as root.
as_postgres() {
  if [ "$(id -u)" = 0 ]; then (cd / && runuser -u postgres -- env PATH="$PATH" "$@"); else "$@"; fi
}

if [ "$1" = stop ]; then
  as_postgres pg_ctl -D "$folder/data" -m immediate stop >/dev/null
  exit
fi

command -v initdb psql >/dev/null || { echo "This needs PostgreSQL: apt-get install postgresql" >&2; exit 2; }
port=$((20000 + $$ % 10000))
umask 077
mkdir "$folder/data"
od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$folder/password"
cat >"$folder/service.conf" <<END
[warehouse]
host=127.0.0.1
port=$port
dbname=postgres
user=loader
password=$(cat "$folder/password")
END
if [ "$(id -u)" = 0 ]; then
  chmod 711 "$folder"
  chown postgres "$folder/data" "$folder/password"
fi
as_postgres initdb -D "$folder/data" -U loader --auth=scram-sha-256 --pwfile="$folder/password" --no-sync >/dev/null
as_postgres pg_ctl -D "$folder/data" -l "$folder/data/log" -w -o "-h 127.0.0.1 -p $port -k $folder/data" start >/dev/null
