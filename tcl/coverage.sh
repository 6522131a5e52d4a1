#!/bin/sh
# coverage.sh DIR: line coverage per source file from the .gcda files in DIR.
dir=${1:?usage: coverage.sh DIR}
find "$dir" -name '*.gcda' -not -path '*/tests/*' |
while read -r f; do
  gcov -n -o "$(dirname "$f")" "$f" 2>/dev/null
done | awk -v q="'" '
  /^File / { split($0, part, q); file = part[2] }
  /^Lines executed:/ && file ~ /^(ext|vtab)\// && file ~ /\.c$/ {
    split($0, part, /[:% ]+/); percent = part[3]; lines = $NF
    printf "%6.1f %%  of %5d  %s\n", percent, lines, file | "sort -k5"
    hit += percent * lines / 100; all += lines; file = ""
  }
  END {
    close("sort -k5")
    if (all) printf "%6.1f %%  of %5d  all\n", 100 * hit / all, all
  }'
