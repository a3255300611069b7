#!/bin/bash
# background_job counts as wc does, says which file is missing, and goes on ticking while a slow file is read.
. "$(dirname "$0")/common.sh"
example background_job
export LC_ALL=C

numbers() { awk '{ print $1, $2, $3, $4 }'; }

seq 1 300000 >"$work/long"
printf 'no newline at the end' >"$work/open_end"
printf ' \t leading\n\n\n  and   trailing  \n' >"$work/spaces"
: >"$work/empty"
head -c 300000 /dev/zero | tr '\0' 'x' >"$work/one_word"
files=("$work/long" "$work/open_end" "$work/spaces" "$work/empty" "$work/one_word" "$bin/background_job.c")

for file in "${files[@]}"; do
    check "$(basename "$file") alone" same "$("$bin/background_job" "$file" 2>/dev/null | numbers)" "$(wc "$file" | numbers)"
done
check "all together" same "$("$bin/background_job" "${files[@]}" 2>/dev/null | numbers)" "$(wc "${files[@]}" | numbers)"
check "without a file its own source" same "$(cd / && "$bin/background_job" 2>/dev/null | numbers)" "$(wc "$bin/background_job.c" | numbers)"

output=$("$bin/background_job" "$work/long" 2>"$work/err")
check "status 0" same $? 0
check "nothing odd on stderr" same "$(grep -v '^counting: [0-9]* bytes$' "$work/err")" ""

output=$("$bin/background_job" "$work/missing" 2>&1)
check "missing: status 1" same $? 1
check "missing: message" contains "$output" "background_job: $work/missing: No such file or directory"

output=$("$bin/background_job" "$work/open_end" "$work/missing" "$work/spaces" 2>/dev/null)
check "one missing: status 1" same $? 1
check "one missing: the others are counted" same "$(echo "$output" | numbers)" "$(wc "$work/open_end" "$work/spaces" | numbers)"

output=$("$bin/background_job" "$work" 2>&1)
check "a directory: status 1" same $? 1
check "a directory: message" contains "$output" "Is a directory"

# A pipe that is filled slowly: the loop must go on ticking, and the end must still come.
mkfifo "$work/slow"
"$bin/background_job" "$work/slow" >"$work/out" 2>"$work/err" &
job=$!
children+=($job)
{
    for i in 1 2 3; do
        echo "line $i"
        ticks=$(wc -l <"$work/err")
        wait_for 10 eval '[ $(wc -l <"$work/err") -ge $((ticks + 2)) ]' || echo late >"$work/late"
    done
} >"$work/slow"
wait $job
check "slow: status 0" same $? 0
check "slow: it ticked meanwhile" test ! -e "$work/late"
check "slow: the count" same "$(awk '{ print $1, $2, $3 }' "$work/out")" "3 6 21"
check "slow: the ticks tell how far" contains "$(cat "$work/err")" "counting: 7 bytes"

"$bin/background_job" "$work/long" >/dev/full 2>"$work/err"
check "stdout full: status 1" same $? 1

finish
