#!/bin/sh
# Runs each case in tests/cases/ against the program given and writes a JUnit report.
# usage: tests/run.sh PROGRAM REPORT
program=$1
report=$2
total=0
failed=0
cases=
for input in tests/cases/*.in; do
  name=$(basename "$input" .in)
  total=$((total + 1))
  if "$program" 5 <"$input" | cmp -s - "tests/cases/$name.out"; then
    echo "ok   $name"
    cases="$cases  <testcase classname=\"wordfreq\" name=\"$name\"/>
"
  else
    echo "FAIL $name"
    failed=$((failed + 1))
    cases="$cases  <testcase classname=\"wordfreq\" name=\"$name\"><failure message=\"other output\"/></testcase>
"
  fi
done
printf '<?xml version="1.0"?>\n<testsuite name="wordfreq" tests="%s" failures="%s">\n%s</testsuite>\n' \
  "$total" "$failed" "$cases" >"$report"
echo "$total cases, $failed failed"
[ "$failed" -eq 0 ]
