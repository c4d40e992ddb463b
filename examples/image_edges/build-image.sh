#!/bin/sh
# build-image.sh NAME: an image of Python from Debian's packages and edges.py, and nothing else. Needs apt-get and dpkg-deb, and
# no rights but to talk to Docker.
set -eu
name=$1
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/mammoth-image.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

# python3-minimal is made of pythonX.Y-minimal, which needs no more than these others.
python=$(apt-cache depends python3-minimal | sed -n 's/.*Depends: \(python3\.[0-9]*-minimal\)$/\1/p' | head -n 1)
[ -n "$python" ] || { echo "apt knows no python3-minimal: apt-get update" >&2; exit 1; }
needed=$(
  apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances \
    "$python" | grep '^[a-z]' | sort -u
)

mkdir "$scratch/packages" "$scratch/root"
# shellcheck disable=SC2086 # several words
(cd "$scratch/packages" && apt-get -q download $needed >/dev/null 2>"$scratch/said") ||
  { cat "$scratch/said" >&2; exit 1; }
for package in "$scratch/packages"/*.deb; do dpkg-deb -x "$package" "$scratch/root"; done
# Newer packages have everything in /usr and rely on these.
for folder in bin lib lib64; do
  [ -e "$scratch/root/$folder" ] || ln -s "usr/$folder" "$scratch/root/$folder"
done
ln -s "${python%-minimal}" "$scratch/root/usr/bin/python3"
rm -rf "$scratch/root/usr/share/doc" "$scratch/root/usr/share/man"
mkdir -p "$scratch/root/tmp"
cp "$here/edges.py" "$scratch/root/edges.py"
chmod 755 "$scratch/root"

tar -C "$scratch/root" -c . | docker import - "$name" >/dev/null
