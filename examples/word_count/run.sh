#!/bin/sh
# The words of a book: map counts them block by block, reduce adds up.
set -eu
cd "$(dirname "$0")"
. ../example.sh
begin "book" "words counts"
set -x

pachctl create-repo book
pachctl create-pipeline -f pipeline.yaml

pachctl put-file book master chapter1 -c -f data/chapter1
pachctl flush-commit book/master/0
pachctl get-file counts --of book/master/0 counts | sort -k1,1nr -k2 >"$results/chapter1"

pachctl put-file book master chapter2 -c -f data/chapter2
pachctl flush-commit book/master/1
pachctl get-file counts --of book/master/1 counts | sort -k1,1nr -k2 >"$results/both"
head -5 "$results/both"
