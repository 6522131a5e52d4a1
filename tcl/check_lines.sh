#!/bin/sh
# check_lines.sh: the rules that no compiler knows. C lines have at most 80
# columns; no tabs, no trailing blanks and no missing last newline in what we
# wrote (the seeds' own files in tests/ are left as they are).
bad=0
say() { echo "$1" >&2; bad=1; }

for f in ext/*.[ch] ext/runtime/*.[ch] vtab/*.[ch] tests/*.[ch]; do
  [ -f "$f" ] || continue
  long=$(LC_ALL=C.UTF-8 grep -nE '^.{81,}' "$f" | cut -c1-60)
  [ -z "$long" ] || say "$f: longer than 80 columns:
$long"
done
tab=$(printf '\t')
for f in ext/*.[ch] ext/runtime/*.[ch] vtab/*.[ch] tests/*.[ch] \
         sql/*.sql sql/migrations/*/*.sql tcl/* tests/*.test; do
  [ -f "$f" ] || continue
  hits=$(grep -nE "[ $tab]+\$|$tab" "$f" | cut -c1-60 | head -5)
  [ -z "$hits" ] || say "$f: tabs or trailing blanks:
$hits"
  [ -z "$(tail -c1 "$f")" ] || say "$f: no newline at the end"
done
exit $bad
