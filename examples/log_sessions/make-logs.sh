#!/bin/sh
# make-logs.sh DAY: the log of a day, a line for each page that somebody looked at: when, who, what. Always the same.
set -eu
awk -v day="$1" '
  function next_random(below) { seed = (seed * 16807) % 2147483647; return seed % below }
  BEGIN {
    seed = day * 4711
    split("/ /search /shoes /hats /cart /pay", pages, " ")
    users = split(day == 1 ? "ann bob cid dee eve" : "bob eve fay", names, " ")
    time = 1478217600 + (day - 1) * 86400
    for (i = 0; i < 120; i++) {
      time += 20 + next_random(i % 10 == 9 ? 6000 : 400)
      print time, names[1 + next_random(users)], pages[1 + next_random(6)]
    }
  }'
