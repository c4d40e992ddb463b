#!/bin/sh
# The edges of pictures, found in a Docker image that is made of Debian's packages.
set -eu
cd "$(dirname "$0")"
. ../example.sh
pachd_options="--runner docker"
begin "pictures" "edges"

image=mammoth-example/edges:1
[ -n "$(docker images --quiet $image)" ] || ./build-image.sh $image
set -x

pachctl create-repo pictures
pachctl create-pipeline -f pipeline.yaml

pachctl put-file pictures master / -c -r -f data
pachctl flush-commit pictures/master/0
pachctl list-file edges --of pictures/master/0
for picture in face hills rings; do
  pachctl get-file edges --of pictures/master/0 $picture.png >"$results/$picture.png"
done
