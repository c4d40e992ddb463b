#!/bin/sh
# Pictures are made smaller and grey by a web server for Node. IMAGE=node:24-slim runs it in a container.
set -eu
cd "$(dirname "$0")"
. ../example.sh
[ -z "${IMAGE-}" ] || pachd_options="--runner docker"
begin "data data_master_shrink" ""

mkdir "$scratch/pictures"
node make-pictures.mjs "$scratch/pictures"
set -x

curl -sSf -XPOST "$ADDRESS/file/pictures/" -T "$scratch/pictures/{rings.ppm,hills.ppm,weave.ppm}"
node describe.mjs ${IMAGE-} | curl -sSf -XPOST "$ADDRESS/job/shrink" --data-binary @-
curl -sSf -XPOST "$ADDRESS/commit?run"
for picture in hills rings weave; do
  curl -sSf "$ADDRESS/job/shrink/file/$picture.ppm?commit=master/0" -o "$results/$picture.ppm"
done
