#!/bin/sh
# Games of chess: a web server looks for blunders in each, two others sum up. Then some more games.
set -eu
cd "$(dirname "$0")"
. ../example.sh
begin "data data_master_analyze data_master_blunders_of_analyze data_master_openings_of_analyze" ""

mkdir "$scratch/games" "$scratch/more"
python3 -B make-games.py 200 "$scratch/games"
python3 -B make-games.py 20 "$scratch/more" 201
set -x

install/pachyderm/local "$scratch/games" "$ADDRESS"
curl -sSf "$ADDRESS/job/analyze/file/game0001.pgn?commit=master/0" | tee "$results/game0001"
curl -sSf "$ADDRESS/job/openings/file/*?commit=master/0" | tee "$results/openings"
curl -sSf "$ADDRESS/job/blunders/file/*?commit=master/0" | tee "$results/blunders"

# The next run analyzes the new games only.
install/pachyderm/local "$scratch/more" "$ADDRESS"
curl -sSf "$ADDRESS/job/blunders/file/*?commit=master/1" | tee "$results/blunders-more"
